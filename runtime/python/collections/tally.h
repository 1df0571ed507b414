// A number that transactions add to without getting in each other's way (mode Add): a counter's value, a
// collection's length.
//
// The number itself is changed at commits only, by effects (core/descriptor.h): an addition is kept by the
// transaction that made it until then, and what is in the number is always committed. So reading it from
// outside is reading it, and there is nothing to take back. Whoever reads it in a transaction has registered
// that (mode Read, or Write behind own additions), which keeps adders away, and counts the own additions in.
#pragma once

#include "runtime/python/barriers.h"

namespace stmpy {

// Amounts have 64 bits. The number has 128: no program lives long enough to fill it with them.
__extension__ using Number = __int128;

class Tally {
 public:
  core::Record record;

  // In a transaction; `owner` is the object it belongs to.
  Done add(Thread& thread, PyObject* owner, std::int64_t amount);
  Done read(Thread& thread, PyObject* owner, Number& sum);
  // The same, for who is going to set it.
  Done own(Thread& thread, PyObject* owner, Number& sum);
  // Within ±kLargestSet. The revert log says that `replaced` was there.
  Done set(Thread& thread, PyObject* owner, Number sum, Ref replaced);
  static constexpr Number kLargestSet = Number{1} << 120;

  // The committed number, at once.
  Number committed() const;
  // Outside of transactions: adds, if nobody but other threads that are doing just this holds it. False: take
  // the whole way, a transaction.
  bool add_if_free(Thread& thread, std::int64_t amount);
  // While nobody else knows the object.
  void start_at(Number sum) { add_now(sum - committed()); }

 private:
  void add_now(Number amount);
  Done look(Thread& thread, PyObject* owner, core::Mode mode, Number& sum);
  Number pending(core::Descriptor& self) const;
  template <int kShift>
  static void apply(void* tally, void* reference, std::int64_t amount, std::uint64_t stamp);
  static Number amount_of(const core::PendingEffect& addition);
  static const core::Effect kAdd, kAddHigh;

  mutable core::SpinLock lock_;
  std::uint64_t low_ = 0;  // the two halves of the number, under the lock
  std::int64_t high_ = 0;
};

// A Python integer, and back. `from_python` fails with OverflowError beyond Tally::kLargestSet, and with
// TypeError for what is no integer.
PyObject* to_python(Number number);
bool from_python(PyObject* integer, Number& number);

}  // namespace stmpy
