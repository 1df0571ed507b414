#include "tests/core/support/world.h"

#include "runtime/core/schedule.h"

namespace stmpy::core::test {

Outcome Thread::ask(Thing& thing, int attribute, Mode mode, bool unwinding) {
  Record& record = thing.record(attribute);
  reserve_entry(self);
  const Outcome outcome =
      unwinding ? access_while_unwinding(self, record, &thing, mode) : access(self, record, &thing, mode);
  note(thing, attribute, outcome, outcome == Outcome::Held && is_write(mode) && must_log_again(self, record));
  return outcome;
}

void Thread::note(Thing& thing, int attribute, Outcome outcome, bool again) {
  Record& record = thing.record(attribute);
  if (outcome == Outcome::Registered) retain(&thing);
  const bool first =
      outcome == Outcome::Registered || outcome == Outcome::RegisteredAgain || outcome == Outcome::Raised;
  if ((first && is_write(record.held_by(self))) || again) {
    auto* old_value = static_cast<Object*>(thing.slot(attribute).load());
    if (old_value) retain(old_value);
    log_slot(self, record, &thing, thing.slot(attribute), old_value, first);
  }
}

bool Thread::acquire_quickly(Thing& thing, int attribute, Mode mode) {
  if (!quick || (mode != Mode::Read && mode != Mode::Write)) return false;
  Record& record = thing.record(attribute);
  Outcome outcome;
  if (!(mode == Mode::Read ? read_quickly : write_quickly)(self, record, &thing, outcome)) return false;
  note(thing, attribute, outcome, false);
  return true;
}

void Thread::acquire(Thing& thing, int attribute, Mode wanted) {
  const Record& record = thing.record(attribute);
  if (acquire_quickly(thing, attribute, wanted)) return;
  for (;;) {
    switch (ask(thing, attribute, mode_for(self, record, wanted))) {
      case Outcome::Again:
        continue;
      case Outcome::Aborted:
        throw Aborted{};
      case Outcome::Interrupted:
        throw Interrupted{};
      case Outcome::TimedOut:
        throw TimedOut{};
      default:
        return;
    }
  }
}

Ref<Object> Thread::read(Thing& thing, int attribute, Mode mode) {
  if (mode != Mode::Read || !holds(self, thing.record(attribute))) acquire(thing, attribute, mode);
  return Ref<Object>::borrowed(static_cast<Object*>(thing.slot(attribute).load()));
}

void Thread::write(Thing& thing, Ref<Object> value, int attribute) {
  if (!holds_logged(self, thing.record(attribute))) acquire(thing, attribute, Mode::Write);
  const auto old =
      Ref<Object>::stolen(static_cast<Object*>(thing.slot(attribute).exchange(value.give_away())));
}

Ref<Object> Thread::committed(Thing& thing, int attribute) {
  Ref<Object> value;
  {
    const Observer observer(self);
    void* const found = committed_value(observer, thing.record(attribute), thing.slot(attribute));
    schedule(Step::Chosen);
    value = Ref<Object>::borrowed(static_cast<Object*>(found));
  }
  Observer::empty_limbo();
  return value;
}

std::unique_ptr<Watch> Thread::watch_and_abort(std::uint64_t turn) {
  std::unique_ptr<Watch> watch;
  doom(self);
  try {
    watch = std::make_unique<Watch>(self, turn);
  } catch (...) {
    abort();
    throw;
  }
  abort();
  return watch;
}

CoreTest::CoreTest() {
  install_host();
  signal_period = std::chrono::hours(1);
  contention_period = std::chrono::microseconds(0);
  reset_statistics();
}

CoreTest::~CoreTest() {
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, 0) << "references were lost";
}

}  // namespace stmpy::core::test
