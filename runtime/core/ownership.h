// Ownership records (protocol, section 2): one 8-byte word per (object, attribute) that says who may use it
// and how.
//
// A record is thin while up to three holders with small ids fit into the word, and fat (a pointer to a list)
// when there are more of them or when a claim is pending. Only attempts in progress hold a record, so a
// holder's id names its current attempt.
//
//   thin:  version 29 | holder 10 | holder 10 | holder 10 | mode 3 | watched 1 | fat = 0
//   fat:   pointer to FatRecord                                              | fat = 1
//
// Nothing here waits, and nothing runs code of the user's: a request is granted or refused with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/core/atomics.h"

namespace stmpy::core {

class Descriptor;
struct FatRecord;

enum class Mode : std::uint64_t {
  None = 0,
  Read = 1,
  Update = 2,  // a read that may become a write
  Add = 3,     // changes that commute with each other
  Write = 4,
  Exclusive = 5,  // every access under reads="exclusive"
  Private = 6,    // of an object that the holder has made: nobody has ever seen another value
};
constexpr bool is_write(Mode mode) { return mode >= Mode::Write; }
// What whoever holds it changes, if not before then at the commit.
constexpr bool changes(Mode mode) { return mode >= Mode::Add; }
// True where holding `held` allows what `wanted` asks for.
constexpr bool covers(Mode held, Mode wanted) {
  return is_write(held) || held == wanted || (held == Mode::Update && wanted == Mode::Read);
}
// What a holder of `held` must ask for to have both: nothing but a write combines with changes that commute.
constexpr Mode joined(Mode held, Mode wanted) {
  return held != Mode::None && (held == Mode::Add) != (wanted == Mode::Add) ? Mode::Write : wanted;
}
// The table of protocol section 2.
constexpr bool compatible(Mode request, Mode held) {
  return (request == Mode::Read && (held == Mode::Read || held == Mode::Update)) ||
         (request == Mode::Update && held == Mode::Read) || (request == Mode::Add && held == Mode::Add);
}

// An attempt as everybody but its owner knows it. Act on it only after rechecking that it is still in
// progress.
struct Attempt {
  Descriptor* descriptor = nullptr;
  std::uint64_t generation = 0;
  explicit operator bool() const { return descriptor != nullptr; }
  bool operator==(const Attempt&) const = default;
};

enum class Request : std::uint8_t {
  Held,     // it was held in a mode that covers the request
  Raised,   // it was held in a weaker mode
  Granted,  // it is newly held: the caller registers it
  Refused,
};

struct Refusal {
  Attempt by;               // a holder, or who set the claim; none if it had ended meanwhile
  bool by_claim = false;    // no holder excludes us, an older pending claim does
  bool of_upgrade = false;  // we hold the pair in a weaker mode
};

enum class Claim : std::uint8_t {
  Set,
  Taken,      // somebody who is not younger has set one
  SetOnFree,  // nobody holds the pair any more: ask again, before others take it
};

class Record {
 public:
  // Of an object that nobody has seen yet: free, or held by who makes it (private_bits).
  constexpr explicit Record(std::uint64_t bits = 0) : word_(bits) {}

  Request request(Descriptor& self, Mode mode, Refusal& refusal);
  // The mode in which `self` holds it, None if it does not.
  Mode held_by(const Descriptor& self) const;
  // Letting go of what may have been changed bumps the version. `changed`: the value is another one than
  // before, so the watched bit is taken with it. True: it was set, and the caller looks up the watchers.
  bool release(Descriptor& self, bool changed = true);
  // Somebody waits for a change. Set while the pair is held.
  void set_watched();
  bool is_watched() const;

  // Who keeps `self` from having the pair in `mode`, as of one moment; without holders that are about to let
  // go. std::bad_alloc.
  std::vector<Attempt> excluders(const Descriptor& self, Mode mode);

  // One pending claim per pair.
  Claim set_claim(Descriptor& self);
  void clear_claim(Descriptor& self);
  bool is_claimed_by(const Descriptor& self);

  // What a thread outside of any transaction needs: who is writing, and a stamp that is equal again only if
  // no write ownership was released in between.
  struct View {
    Descriptor* writer = nullptr;
    std::uint64_t version = 0;
    bool is_private = false;  // the writer has made the object
    bool operator==(const View&) const = default;
  };
  View view() const;

  // The bits an inline check needs: with `mask_*` applied, the word of a thin record equals the descriptor's
  // pattern.
  std::uint64_t bits() const { return word_.load(); }
  static constexpr int kModeShift = 2, kHolderShift = 5, kHolderBits = 10, kThinHolders = 3,
                       kVersionShift = 35;
  static constexpr std::uint64_t kFat = 1, kWatched = 2, kModeMask = 7u << kModeShift;
  static constexpr std::uint64_t kHolderMask = (1u << kHolderBits) - 1;
  static constexpr std::uint64_t kHolders = ((std::uint64_t{1} << (kHolderBits * kThinHolders)) - 1)
                                            << kHolderShift;
  static constexpr std::uint64_t kFirstHolderMask = kHolderMask << kHolderShift;
  static constexpr std::uint64_t kLargestThinId = kHolderMask;
  static constexpr std::uint64_t kMaskHeld = kFat | kFirstHolderMask;
  // The highest bit of the mode tells those that write from all others.
  static constexpr std::uint64_t kMaskWritten = kFat | (4u << kModeShift) | kFirstHolderMask;
  static constexpr std::uint64_t held_pattern(std::uint64_t id) { return id << kHolderShift; }
  static constexpr std::uint64_t written_pattern(std::uint64_t id) {
    return id << kHolderShift | static_cast<std::uint64_t>(Mode::Write) << kModeShift;
  }
  static constexpr std::uint64_t private_bits(std::uint64_t thin_id) {
    return held_pattern(thin_id) | static_cast<std::uint64_t>(Mode::Private) << kModeShift;
  }
  // Equal to no masked word.
  static constexpr std::uint64_t kNoPattern = ~std::uint64_t{0};

  // The common case of request(): a free thin record, for a descriptor with a thin id. False: take the whole
  // way.
  [[gnu::always_inline]] bool take_if_free(std::uint64_t thin_id, Mode mode) {
    std::uint64_t word = word_.load();
    if (thin_id == 0 || (word & (kFat | kModeMask)) != 0) [[unlikely]]
      return false;
    return word_.compare_exchange(
        word, word | thin_id << kHolderShift | static_cast<std::uint64_t>(mode) << kModeShift);
  }
  // The common case of an upgrade: the only holder of a thin record, who reads it, comes to write it.
  [[gnu::always_inline]] bool raise_if_alone(std::uint64_t thin_id) {
    std::uint64_t word = word_.load();
    const std::uint64_t mode = word & kModeMask;
    if ((word & (kFat | kHolders)) != held_pattern(thin_id) || thin_id == 0 ||
        mode > (static_cast<std::uint64_t>(Mode::Update) << kModeShift)) {
      return false;
    }
    return word_.compare_exchange(word, (word & ~kModeMask) | static_cast<std::uint64_t>(Mode::Write)
                                                                  << kModeShift);
  }
  // The common cases of release(): the only holder of a thin record that nobody watches.
  [[gnu::always_inline]] bool release_if_alone(std::uint64_t thin_id) {
    std::uint64_t word = word_.load();
    if ((word & (kFat | kWatched | kHolders)) != held_pattern(thin_id) || thin_id == 0) [[unlikely]]
      return false;
    const bool written = (word & kModeMask) >= (static_cast<std::uint64_t>(Mode::Add) << kModeShift);
    const std::uint64_t released = (word & ~(kModeMask | kHolders)) + (written ? kVersionStep : 0);
    return word_.compare_exchange(word, released);
  }
  static constexpr std::uint64_t kVersionStep = std::uint64_t{1} << kVersionShift;

 private:
  class LockedFat;
  std::optional<Request> request_thin(std::uint64_t word, Descriptor& self, Mode mode, Refusal& refusal);
  std::optional<Request> request_fat(std::uint64_t word, Descriptor& self, Mode mode, Refusal& refusal);
  void inflate(std::uint64_t word);

  Word word_;
};
static_assert(sizeof(Record) == 8);

// In the child after a fork: no thread is inside of a fat record any more.
void reset_fat_records_after_fork();

}  // namespace stmpy::core
