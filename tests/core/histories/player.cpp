#include "tests/core/histories/player.h"

#include <chrono>
#include <thread>

#include "tests/core/histories/values.h"

namespace stmpy::core::test {

Variables::Variables(int count) : count_(count) {
  for (int made = 0; made < count; made += 2) things_.push_back(make<Thing>());
}

bool Variables::any_held() const {
  for (int variable = 0; variable < count_; ++variable) {
    const Place place = (*this)[variable];
    if (place.thing.record(place.attribute).bits() << (64 - Record::kVersionShift) != 0) return true;
  }
  return false;
}

Player::Player(int number, const Variables& variables, Random random, Fatal fatal)
    : number_(number), variables_(variables), random_(random), fatal_(fatal), recorder_(number) {
  quick = chance(random_, 2);
}

void Player::play(const Call& its) {
  const int variable = its.actions.front().variable;
  switch (its.kind) {
    case Call::Kind::Transaction:
      play_transaction(its);
      break;
    case Call::Kind::ReadOutside: {
      recorder_.begins();
      const auto [thing, attribute] = variables_[variable];
      recorder_.reads(variable, number_of(committed(thing, attribute)));
      recorder_.ends("committed");
      break;
    }
    case Call::Kind::WriteOutside:
      call([&] { write_variable(variable); });
      break;
  }
}

void Player::play_transaction(const Call& its) {
  const auto body = [&] {
    try {
      play(its.actions);
    } catch (const Aborted&) {
      if (its.cleans_up) clean_up(its.actions.front().variable);
      if (!its.swallows) throw;
      return;
    }
    fails_ = its.fails;
    if (fails_) throw Failed{};
  };
  try {
    call({.exclusive = its.exclusive}, body);
  } catch (const Failed&) {
  }
}

void Player::play(const std::vector<Action>& actions) {
  for (const Action& action : actions) {
    switch (action.kind) {
      case Action::Kind::Read:
        read_variable(action.variable, action.mode);
        break;
      case Action::Kind::Write:
        write_variable(action.variable);
        break;
      case Action::Kind::Nested:
        play_nested(action);
        break;
      case Action::Kind::Pause:
        pause();
        break;
    }
  }
}

void Player::play_nested(const Action& action) {
  recorder_.opens();
  try {
    nested([&] {
      play(action.actions);
      if (action.fails) throw Failed{};
    });
  } catch (const Failed&) {
    recorder_.reverts();
    return;
  }
  recorder_.closes();
}

void Player::read_variable(int variable, Mode mode) {
  const auto [thing, attribute] = variables_[variable];
  try {
    recorder_.reads(variable, number_of(read(thing, attribute, mode)));
  } catch (const Aborted&) {
    recorder_.refused(variable);
    throw;
  }
}

void Player::write_variable(int variable) {
  const auto [thing, attribute] = variables_[variable];
  const long value = (number_ + 1) * 10'000 + ++written_;
  try {
    write(thing, Ref<Object>::stolen(new Value(value)), attribute);
    recorder_.writes(variable, value);
  } catch (const Aborted&) {
    recorder_.refused(variable);
    throw;
  }
}

// What a handler or a `finally` does while the abort unwinds: it has what it had, and what is free.
void Player::clean_up(int variable) {
  const auto [thing, attribute] = variables_[variable];
  if (ask(thing, attribute, Mode::Read, true) == Outcome::Aborted) return;
  recorder_.reads(variable,
                  number_of(Ref<Object>::borrowed(static_cast<Object*>(thing.slot(attribute).load()))));
}

long Player::number_of(const Ref<Object>& value) {
  if (is_gone(*value)) fatal_("a value was read that had been given back");
  return value->number;
}

void Player::write_all() {
  call([&] {
    for (int variable = 0; variable < variables_.count(); ++variable) write_variable(variable);
  });
}

void Player::read_all() {
  for (int variable = 0; variable < variables_.count(); ++variable)
    play(Call{Call::Kind::ReadOutside, {Action{Action::Kind::Read, variable, Mode::Read, {}}}});
}

// As many as come in a second or so: longer than it takes the writer to be scheduled.
constexpr int kMostArrivals = 20'000;

void Player::read_in_relay(Relay& relay) {
  while (!relay.written) {
    call([&] {
      read_variable(0, Mode::Read);
      const int mine = ++relay.arrivals;
      if (mine > kMostArrivals) fatal_("a writer does not come through among readers");
      const auto patience = Clock::now() + std::chrono::milliseconds(2);
      while (!relay.written && relay.arrivals == mine && Clock::now() < patience) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    });
  }
}

void Player::write_in_relay(Relay& relay) {
  while (relay.arrivals == 0) std::this_thread::yield();
  call([&] { write_variable(0); });
  relay.written = true;
}

void Player::start(bool exclusive) {
  fails_ = false;
  recorder_.begins();
  Thread::start(exclusive);
}

bool Player::finish() {
  recorder_.commits();
  if (!Thread::finish()) return false;
  recorder_.ends("committed");
  return true;
}

void Player::abort() {
  Thread::abort();
  recorder_.ends(fails_ ? "reverted" : "aborted");
}

void Player::pause() {
  if (chance(random_, 2)) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 100));
  }
}

}  // namespace stmpy::core::test
