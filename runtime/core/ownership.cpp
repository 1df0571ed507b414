#include "runtime/core/ownership.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/core/descriptor.h"
#include "runtime/core/immortal.h"
#include "runtime/core/schedule.h"

namespace stmpy::core {
namespace {

constexpr std::uint64_t kVersionMask = ~std::uint64_t{0} << Record::kVersionShift;

// The attempt a holder is in; none where it is about to let go, or holds the record without one for a moment.
Attempt attempt_in_progress(const Descriptor& holder) {
  const Attempt attempt = holder.current();
  return in_progress(attempt) ? attempt : Attempt{};
}

// A thin word taken apart. In mode Update the first holder is the one that may write; the others read.
struct Thin {
  std::uint64_t word;

  Mode mode() const { return static_cast<Mode>((word & Record::kModeMask) >> Record::kModeShift); }
  std::uint64_t holder(int index) const {
    return word >> (Record::kHolderShift + index * Record::kHolderBits) & Record::kHolderMask;
  }
  int count() const {
    int held = 0;
    while (held < Record::kThinHolders && holder(held) != 0) ++held;
    return held;
  }
  int index_of(std::uint64_t id) const {
    if (id != 0) {
      for (int index = 0; index < Record::kThinHolders; ++index) {
        if (holder(index) == id) return index;
      }
    }
    return -1;
  }
  Mode mode_of(int index) const { return mode() == Mode::Update && index > 0 ? Mode::Read : mode(); }

  Thin with(Mode mode, const std::uint64_t (&holders)[Record::kThinHolders]) const {
    std::uint64_t built = word & (kVersionMask | Record::kWatched);
    built |= static_cast<std::uint64_t>(mode) << Record::kModeShift;
    for (int index = 0; index < Record::kThinHolders; ++index) {
      built |= holders[index] << (Record::kHolderShift + index * Record::kHolderBits);
    }
    return Thin{built};
  }
  // The holders with `id` in front: the place of the one whose mode differs.
  Thin with_first(Mode mode, std::uint64_t id) const {
    std::uint64_t holders[Record::kThinHolders] = {id};
    int filled = 1;
    for (int index = 0; index < count(); ++index) {
      if (holder(index) != id) holders[filled++] = holder(index);
    }
    return with(mode, holders);
  }
  Thin with_last(Mode mode, std::uint64_t id) const {
    std::uint64_t holders[Record::kThinHolders] = {holder(0), holder(1), holder(2)};
    holders[count()] = id;
    return with(mode, holders);
  }
  Thin without(int gone) const {
    std::uint64_t holders[Record::kThinHolders] = {};
    int filled = 0;
    for (int index = 0; index < count(); ++index) {
      if (index != gone) holders[filled++] = holder(index);
    }
    const Mode left = filled == 0 ? Mode::None : mode() == Mode::Update && gone == 0 ? Mode::Read : mode();
    return with(left, holders);
  }
};

}  // namespace

// The list a record points to when its word is too small. Type-stable: in a pool when no record points to it.
struct FatRecord {
  struct Holder {
    Descriptor* descriptor;  // whose current attempt holds: it cannot end without taking this away
    Mode mode;
  };

  SpinLock lock;
  Shown<Record*> of;          // null in the pool; changed under the lock
  std::uint64_t version = 0;  // shifted as in the thin word
  bool watched = false;
  std::vector<Holder> holders;
  Attempt claim;
  FatRecord* next_free = nullptr;
  FatRecord* next_made = nullptr;

  auto find(const Descriptor& self) {
    return std::find_if(holders.begin(), holders.end(),
                        [&](const Holder& h) { return h.descriptor == &self; });
  }
  bool claim_is_pending() const { return claim && in_progress(claim); }
};

namespace {

class FatPool {
 public:
  FatRecord* take() {
    const std::lock_guard guard(lock_);
    if (FatRecord* fat = free_) {
      free_ = fat->next_free;
      return fat;
    }
    auto made = std::make_unique<FatRecord>();
    made->holders.reserve(8);
    made->next_made = all_;
    return all_ = made.release();
  }
  void give_back(FatRecord* fat) {
    const std::lock_guard guard(lock_);
    fat->next_free = free_;
    free_ = fat;
  }
  void reset_after_fork() {
    lock_.unlock();
    for (FatRecord* fat = all_; fat; fat = fat->next_made) fat->lock.unlock();
  }

 private:
  SpinLock lock_;
  FatRecord* free_ = nullptr;
  FatRecord* all_ = nullptr;
};

FatPool& fat_pool() {
  static Immortal<FatPool> pool;
  return pool.value;
}

FatRecord* fat_of(std::uint64_t word) { return reinterpret_cast<FatRecord*>(word & ~Record::kFat); }

}  // namespace

// The fat record of `record`, locked; false where the word says something else by now.
class Record::LockedFat {
 public:
  LockedFat(Record& record, std::uint64_t word) : record_(record), fat_(fat_of(word)) {
    fat_->lock.lock();
    if (fat_->of.get() != &record) {
      fat_->lock.unlock();
      fat_ = nullptr;
    }
  }
  ~LockedFat() {
    if (!fat_) return;
    if (fat_->holders.empty() && !fat_->claim_is_pending()) {
      FatRecord* unused = deflate();
      unused->lock.unlock();
      fat_pool().give_back(unused);
    } else {
      fat_->lock.unlock();
    }
  }
  LockedFat(const LockedFat&) = delete;
  LockedFat& operator=(const LockedFat&) = delete;

  explicit operator bool() const { return fat_ != nullptr; }
  FatRecord* operator->() { return fat_; }

 private:
  FatRecord* deflate() {
    record_.word_.store(fat_->version | (fat_->watched ? kWatched : 0));
    fat_->of.set(nullptr);
    fat_->claim = {};
    return fat_;
  }

  Record& record_;
  FatRecord* fat_;
};

// Makes the thin `word` fat, unless it has changed.
void Record::inflate(std::uint64_t word) {
  const Thin thin{word};
  FatRecord* fat = fat_pool().take();
  fat->lock.lock();
  fat->of.set(this);
  fat->version = word & kVersionMask;
  fat->watched = (word & kWatched) != 0;
  fat->holders.clear();
  for (int index = 0; index < thin.count(); ++index) {
    fat->holders.push_back({descriptor_with_thin_id(thin.holder(index)), thin.mode_of(index)});
  }
  if (word_.compare_exchange(word, reinterpret_cast<std::uint64_t>(fat) | kFat)) {
    fat->lock.unlock();
  } else {
    fat->of.set(nullptr);
    fat->lock.unlock();
    fat_pool().give_back(fat);
  }
}

Request Record::request(Descriptor& self, Mode mode, Refusal& refusal) {
  for (;;) {
    const std::uint64_t word = word_.load();
    const auto answer =
        word & kFat ? request_fat(word, self, mode, refusal) : request_thin(word, self, mode, refusal);
    if (answer) return *answer;
  }
}

// nullopt: the word has changed, ask again.
std::optional<Request> Record::request_thin(std::uint64_t word, Descriptor& self, Mode mode,
                                            Refusal& refusal) {
  const Thin thin{word};
  const int own = thin.index_of(self.thin_id);
  const int count = thin.count();
  if (own >= 0 && covers(thin.mode_of(own), mode)) return Request::Held;
  if (own >= 0) mode = joined(thin.mode_of(own), mode);
  int other = -1;  // a holder that excludes us
  for (int index = 0; index < count; ++index) {
    if (index != own && !compatible(mode, thin.mode_of(index))) other = index;
  }
  if (other >= 0) {
    const Attempt attempt = attempt_in_progress(*descriptor_with_thin_id(thin.holder(other)));
    if (word_.load() != word) return std::nullopt;
    refusal = {attempt, false, own >= 0};
    return Request::Refused;
  }
  if (self.thin_id == 0 || (own < 0 && count == kThinHolders)) {
    inflate(word);
    return std::nullopt;
  }
  const bool in_front = is_write(mode) || mode == Mode::Update || count == 0;
  const Mode together = thin.mode() == Mode::Update && mode == Mode::Read ? Mode::Update : mode;
  const Thin granted =
      in_front ? thin.with_first(mode, self.thin_id) : thin.with_last(together, self.thin_id);
  if (!word_.compare_exchange(word, granted.word)) return std::nullopt;
  return own >= 0 ? Request::Raised : Request::Granted;
}

std::optional<Request> Record::request_fat(std::uint64_t word, Descriptor& self, Mode mode,
                                           Refusal& refusal) {
  LockedFat fat(*this, word);
  if (!fat) return std::nullopt;
  const auto own = fat->find(self);
  const bool holds = own != fat->holders.end();
  if (holds && covers(own->mode, mode)) return Request::Held;
  if (holds) mode = joined(own->mode, mode);
  if (!holds && fat->claim_is_pending() && fat->claim.descriptor != &self &&
      !older(self, *fat->claim.descriptor)) {
    refusal = {fat->claim, true, false};
    return Request::Refused;
  }
  for (const FatRecord::Holder& holder : fat->holders) {
    if (holder.descriptor != &self && !compatible(mode, holder.mode)) {
      refusal = {attempt_in_progress(*holder.descriptor), false, holds};
      return Request::Refused;
    }
  }
  if (holds) {
    own->mode = mode;
    return Request::Raised;
  }
  fat->holders.push_back({&self, mode});
  return Request::Granted;
}

Mode Record::held_by(const Descriptor& self) const {
  for (;;) {
    const std::uint64_t word = word_.load();
    if (!(word & kFat)) {
      const Thin thin{word};
      const int own = thin.index_of(self.thin_id);
      return own < 0 ? Mode::None : thin.mode_of(own);
    }
    LockedFat fat(const_cast<Record&>(*this), word);
    if (!fat) continue;
    const auto own = fat->find(self);
    return own == fat->holders.end() ? Mode::None : own->mode;
  }
}

bool Record::release(Descriptor& self, bool changed) {
  for (;;) {
    std::uint64_t word = word_.load();
    if (word & kFat) {
      LockedFat fat(*this, word);
      if (!fat) continue;
      const auto own = fat->find(self);
      if (own == fat->holders.end()) return false;
      const bool written = changes(own->mode);
      fat->holders.erase(own);
      if (written) fat->version += kVersionStep;
      return written && changed && std::exchange(fat->watched, false);
    }
    const Thin thin{word};
    const int own = thin.index_of(self.thin_id);
    if (own < 0) return false;
    const bool written = changes(thin.mode());
    std::uint64_t released = thin.without(own).word;
    if (written) released += kVersionStep;
    if (written && changed) released &= ~kWatched;
    if (word_.compare_exchange(word, released)) return ((word & ~released) & kWatched) != 0;
  }
}

void Record::set_watched() {
  for (;;) {
    std::uint64_t word = word_.load();
    if (word & kFat) {
      LockedFat fat(*this, word);
      if (!fat) continue;
      fat->watched = true;
      return;
    }
    if (word_.compare_exchange(word, word | kWatched)) return;
  }
}

bool Record::is_watched() const {
  for (;;) {
    const std::uint64_t word = word_.load();
    if (!(word & kFat)) return (word & kWatched) != 0;
    LockedFat fat(const_cast<Record&>(*this), word);
    if (fat) return fat->watched;
  }
}

std::vector<Attempt> Record::excluders(const Descriptor& self, Mode mode) {
  // What `self` holds makes no difference: who goes with that and with `mode` goes with both together.
  for (;;) {
    std::vector<Attempt> found;
    const auto look = [&](Descriptor& holder, Mode held) {
      if (&holder == &self || compatible(mode, held)) return;
      if (const Attempt attempt = attempt_in_progress(holder)) found.push_back(attempt);
    };
    const std::uint64_t word = word_.load();
    if (word & kFat) {
      LockedFat fat(*this, word);
      if (!fat) continue;
      for (const FatRecord::Holder& holder : fat->holders) look(*holder.descriptor, holder.mode);
      return found;
    }
    const Thin thin{word};
    for (int index = 0; index < thin.count(); ++index)
      look(*descriptor_with_thin_id(thin.holder(index)), thin.mode_of(index));
    if (word_.load() == word) return found;
  }
}

Claim Record::set_claim(Descriptor& self) {
  for (;;) {
    const std::uint64_t word = word_.load();
    if (!(word & kFat)) {
      inflate(word);
      continue;
    }
    Attempt displaced;
    Claim answer;
    {
      LockedFat fat(*this, word);
      if (!fat) continue;
      if (fat->claim_is_pending() && fat->claim.descriptor != &self) {
        if (!older(self, *fat->claim.descriptor)) return Claim::Taken;
        displaced = fat->claim;
      }
      fat->claim = self.current();
      self.claimed = this;
      answer = fat->holders.empty() ? Claim::SetOnFree : Claim::Set;
    }
    if (displaced) displaced.descriptor->parker.unpark();
    return answer;
  }
}

void Record::clear_claim(Descriptor& self) {
  self.claimed = nullptr;
  for (;;) {
    const std::uint64_t word = word_.load();
    if (!(word & kFat)) return;
    LockedFat fat(*this, word);
    if (!fat) continue;
    if (fat->claim.descriptor == &self) fat->claim = {};
    return;
  }
}

bool Record::is_claimed_by(const Descriptor& self) {
  for (;;) {
    const std::uint64_t word = word_.load();
    if (!(word & kFat)) return false;
    LockedFat fat(*this, word);
    if (fat) return fat->claim.descriptor == &self;
  }
}

Record::View Record::view() const {
  for (;;) {
    const std::uint64_t word = word_.load();
    if (!(word & kFat)) {
      const Thin thin{word};
      return {is_write(thin.mode()) ? descriptor_with_thin_id(thin.holder(0)) : nullptr, word & kVersionMask,
              thin.mode() == Mode::Private};
    }
    LockedFat fat(const_cast<Record&>(*this), word);
    if (!fat) continue;
    const Mode mode = fat->holders.empty() ? Mode::None : fat->holders.front().mode;
    return {is_write(mode) ? fat->holders.front().descriptor : nullptr, fat->version, mode == Mode::Private};
  }
}

void reset_fat_records_after_fork() { fat_pool().reset_after_fork(); }

}  // namespace stmpy::core
