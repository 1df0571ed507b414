#include "runtime/python/collections/tally.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <mutex>
#include <new>
#include <vector>

#include "runtime/core/watch.h"
#include "runtime/python/collections/collection.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {
namespace {

// The unit of kAddHigh. Two amounts make any difference of numbers that may be set.
constexpr int kHighShift = 62;

// What a thread has summed up of its pending additions, so that a transaction that adds and reads in turns
// does not look through all of them each time.
struct Summed {
  const Tally* tally = nullptr;
  std::uint64_t generation = 0;
  std::uint64_t reverts = 0;
  core::AppendLog<core::PendingEffect>::Position up_to;
  Number sum = 0;

  bool is_of(const Tally* asked, const core::Descriptor& self) const {
    return tally == asked && generation == self.state().generation() && reverts == self.effect_reverts;
  }
};

[[gnu::tls_model("initial-exec")]] constinit thread_local std::array<Summed, 16> summed_up{};

Summed& summed_of(const Tally* tally) {
  return summed_up[reinterpret_cast<std::uintptr_t>(tally) / 64 % summed_up.size()];
}

// Where a commit finds the additions of its transaction, those to one tally side by side. Room is made when
// they are deferred: a commit does not fail.
struct Additions {
  std::vector<core::PendingEffect*> found;
  std::uint64_t generation = 0;
  std::size_t count = 0;  // not less than there are

  void make_room(std::uint64_t now) {  // std::bad_alloc
    if (now != generation) count = 0;
    generation = now;
    if (++count > found.capacity()) found.reserve(count * 2);
  }
  void clear() {
    found.clear();
    if (found.capacity() > 1024) found.shrink_to_fit();
  }
};
thread_local Additions additions;

Done no_memory() {
  PyErr_NoMemory();
  return Done::Failed;
}

// A number that is set changes nothing before the commit either. Its entry in the log only says what was
// there.
void* keep(void*, void* old_value) { return old_value; }
constexpr core::Change kNothing{keep};

}  // namespace

// The order in which additions are applied does not show: they need no stamp.
const core::Effect Tally::kAdd{apply<0>, false}, Tally::kAddHigh{apply<kHighShift>, false};

Number Tally::amount_of(const core::PendingEffect& addition) {
  const Number amount = addition.amount.get();
  return addition.effect.get() == &kAddHigh ? amount << kHighShift : amount;
}

// All additions of the commit are made with the first one, those to one tally as one: nobody sees a part of
// them.
template <int kShift>
void Tally::apply(void* tally, void*, std::int64_t amount, std::uint64_t) {
  core::Descriptor& self = this_thread()->descriptor;
  // One may be what a thread has left behind that a fork or the shutdown ended: nobody else is there then.
  const bool is_own = self.state().state() == core::State::Committed;
  if (!is_own || self.effects.last_since(self.first_effect) == self.first_effect.entry) {
    static_cast<Tally*>(tally)->add_now(static_cast<Number>(amount) << kShift);
    return;
  }
  std::vector<core::PendingEffect*>& found = additions.found;
  self.effects.forwards(self.first_effect, [&](core::PendingEffect& pending) {
    const core::Effect* const effect = pending.effect.get();
    if (effect == &kAdd || effect == &kAddHigh) found.push_back(&pending);
  });
  const auto tally_of = [](const core::PendingEffect* pending) {
    return static_cast<Tally*>(pending->object.get());
  };
  std::sort(found.begin(), found.end(), [&](const auto* left, const auto* right) {
    return std::less<>()(tally_of(left), tally_of(right));
  });
  for (auto next = found.begin(); next != found.end();) {
    Tally* const of = tally_of(*next);
    Number sum = 0;
    for (; next != found.end() && tally_of(*next) == of; ++next) {
      sum += amount_of(**next);
      (*next)->effect.set(nullptr);  // applied
    }
    of->add_now(sum);
  }
  additions.clear();
}

Number Tally::committed() const {
  const std::lock_guard guard(lock_);
  return static_cast<Number>(high_) << 64 | low_;
}

void Tally::add_now(Number amount) {
  const std::lock_guard guard(lock_);
  const Number sum = (static_cast<Number>(high_) << 64 | low_) + amount;
  low_ = static_cast<std::uint64_t>(sum);
  high_ = static_cast<std::int64_t>(sum >> 64);
}

bool Tally::add_if_free(Thread& thread, std::int64_t amount) {
  const std::uint32_t thin_id = thread.descriptor.thin_id;
  if ((record.bits() & core::Record::kWatched) || !record.take_if_free(thin_id, core::Mode::Add))
    return false;
  add_now(amount);
  // Another adder may have come to wait in retry() meanwhile.
  if (!record.release_if_alone(thin_id)) core::release_and_wake(thread.descriptor, record, true);
  return true;
}

Done Tally::add(Thread& thread, PyObject* owner, std::int64_t amount) {
  core::Descriptor& self = thread.descriptor;
  core::Outcome outcome;
  const Done done = request(thread, owner, record, core::mode_for(self, record, core::Mode::Add), outcome);
  if (done != Done::Yes) return done;
  if (outcome == core::Outcome::Registered || outcome == core::Outcome::RegisteredAgain)
    summed_of(this) = {this, self.state().generation(), self.effect_reverts, self.effects.position(), 0};
  try {
    additions.make_room(self.state().generation());
    core::defer(self, kAdd, this, nullptr, amount);
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
  return Done::Yes;
}

Number Tally::pending(core::Descriptor& self) const {
  Summed& summed = summed_of(this);
  if (!summed.is_of(this, self))
    summed = {this, self.state().generation(), self.effect_reverts, self.first_effect, 0};
  self.effects.forwards(summed.up_to, [&](const core::PendingEffect& pending) {
    if (pending.effect.get() && pending.object.get() == this) summed.sum += amount_of(pending);
  });
  summed.up_to = self.effects.position();
  return summed.sum;
}

Done Tally::look(Thread& thread, PyObject* owner, core::Mode mode, Number& sum) {
  core::Descriptor& self = thread.descriptor;
  core::Outcome outcome;
  const Done done = request(thread, owner, record, core::mode_for(self, record, mode), outcome);
  if (done != Done::Yes) return done;
  sum = committed();
  // Whoever only reads has added nothing: that and reading make a write.
  if (core::is_write(record.held_by(self))) sum += pending(self);
  return Done::Yes;
}

Done Tally::read(Thread& thread, PyObject* owner, Number& sum) {
  if (is_unrecorded(thread)) {
    sum = committed();
    if (record.held_by(thread.descriptor) != core::Mode::None) sum += pending(thread.descriptor);
    return Done::Yes;
  }
  return look(thread, owner, core::Mode::Read, sum);
}

Done Tally::own(Thread& thread, PyObject* owner, Number& sum) {
  return look(thread, owner, core::Mode::Write, sum);
}

Done Tally::set(Thread& thread, PyObject* owner, Number sum, Ref replaced) {
  core::Descriptor& self = thread.descriptor;
  Number now;
  const Done done = own(thread, owner, now);
  if (done != Done::Yes) return done;
  const Number difference = sum - now;
  const auto high = static_cast<std::int64_t>(difference >> kHighShift);
  const auto low = static_cast<std::int64_t>(difference & ((Number{1} << kHighShift) - 1));
  const auto before = self.effects.position();
  try {
    core::reserve_entry(self);
    additions.make_room(self.state().generation());
    additions.make_room(self.state().generation());
    if (high != 0) core::defer(self, kAddHigh, this, nullptr, high);
    core::defer(self, kAdd, this, nullptr, low);
  } catch (const std::bad_alloc&) {
    if (!self.effects.empty_since(before)) self.effects.pop();
    return no_memory();
  }
  core::log_change(self, record, owner, kNothing, replaced.release(), false);
  return Done::Yes;
}

PyObject* to_python(Number number) {
  if (number == static_cast<long long>(number)) return PyLong_FromLongLong(static_cast<long long>(number));
  const Ref high = Ref::steal(PyLong_FromLongLong(static_cast<long long>(number >> 64)));
  const Ref shift = Ref::steal(PyLong_FromLong(64));
  const Ref low = Ref::steal(PyLong_FromUnsignedLongLong(static_cast<unsigned long long>(number)));
  if (!high || !shift || !low) return nullptr;
  const Ref shifted = Ref::steal(PyNumber_Lshift(high.get(), shift.get()));
  return shifted ? PyNumber_Or(shifted.get(), low.get()) : nullptr;
}

bool from_python(PyObject* given, Number& number) {
  const Ref integer = Ref::steal(PyNumber_Index(given));
  if (!integer) return false;
  int overflow;
  const long long small = PyLong_AsLongLongAndOverflow(integer.get(), &overflow);
  if (small == -1 && PyErr_Occurred()) return false;
  number = small;
  if (!overflow) return true;
  const Ref shift = Ref::steal(PyLong_FromLong(64));
  const Ref high = shift ? Ref::steal(PyNumber_Rshift(integer.get(), shift.get())) : Ref();
  if (!high) return false;
  const long long high_half = PyLong_AsLongLongAndOverflow(high.get(), &overflow);
  if (high_half == -1 && PyErr_Occurred()) return false;
  number = static_cast<Number>(high_half) << 64 | PyLong_AsUnsignedLongLongMask(integer.get());
  if (!overflow && number <= Tally::kLargestSet && number >= -Tally::kLargestSet) return true;
  PyErr_SetString(PyExc_OverflowError,
                  "a counter's value may be set to 2**120 at most, and to -2**120 at least");
  return false;
}

}  // namespace stmpy
