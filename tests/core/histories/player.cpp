#include "tests/core/histories/player.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace stmpy::core::test {
namespace {

const Link* as_link(const Ref<Object>& value) { return dynamic_cast<const Link*>(value.get()); }

bool is_held(Thing& thing, int attribute) {
  return (thing.record(attribute).bits() & (Record::kFat | Record::kHolders)) != 0;
}
bool any_held(Thing& thing) { return is_held(thing, 0) || is_held(thing, 1); }

}  // namespace

Place place_in(const Link& link, int attribute) {
  return {link.thing, attribute, "m" + std::to_string(link.number) + ":" + std::to_string(attribute)};
}

Variables::Variables(int count) : count_(count) {
  for (int made = 0; made <= count; made += 2) things_.push_back(make<Thing>());
}

Place Variables::operator[](int variable) const {
  return {things_[static_cast<std::size_t>(variable / 2)], variable % 2, "x" + std::to_string(variable)};
}

void Variables::leak(const Ref<Link>& link) {
  const std::lock_guard guard(mutex_);
  leaked_.push_back(link);
}

Ref<Link> Variables::leaked(Random& random) const {
  const std::lock_guard guard(mutex_);
  return leaked_.empty() ? Ref<Link>() : leaked_[random() % leaked_.size()];
}

bool Variables::any_held() const {
  for (const Ref<Thing>& thing : things_) {
    if (test::any_held(*thing)) return true;
    for (const int attribute : {0, 1}) {
      const auto value = Ref<Object>::borrowed(static_cast<Object*>(thing->slot(attribute).load()));
      if (const Link* link = as_link(value); link && test::any_held(*link->thing)) return true;
    }
  }
  return std::any_of(leaked_.begin(), leaked_.end(),
                     [](const Ref<Link>& link) { return test::any_held(*link->thing); });
}

Player::Player(int number, Variables& variables, Random random, Fatal fatal)
    : number_(number), variables_(variables), random_(random), fatal_(fatal), recorder_(number) {
  quick = chance(random_, 2);
}

void Player::play(const Call& its) {
  const Action& first = its.actions.front();
  switch (its.kind) {
    case Call::Kind::Transaction:
      play_transaction(its);
      break;
    case Call::Kind::ReadOutside: {
      const auto value = read_outside(variables_[first.variable]);
      if (const Link* link = as_link(value)) {
        for (const int attribute : {1, 0}) read_outside(place_in(*link, attribute));
      }
      if (const auto link = variables_.leaked(random_); link.get() && first.way == Action::Way::Leaked)
        read_outside(place_in(*link, 0));
      break;
    }
    case Call::Kind::WriteOutside:
      write_outside(variables_[first.variable]);
      break;
  }
}

void Player::end() {
  const std::lock_guard guard(mutex_);
  stage_ = Stage::Ended;
}

void Player::play_transaction(const Call& its) {
  gate_.reset();
  const auto body = [&] {
    try {
      play(its.actions);
    } catch (const Aborted&) {
      if (its.cleans_up) clean_up(variables_[its.actions.front().variable]);
      if (!its.swallows) throw;
      return;
    }
    leaves_ = its.fails;
    if (leaves_) throw Failed{};
  };
  try {
    call({.exclusive = its.exclusive, .irrevocable = its.irrevocable}, body);
  } catch (const Failed&) {
  }
}

void Player::play(const std::vector<Action>& actions) {
  for (const Action& action : actions) {
    switch (action.kind) {
      case Action::Kind::Read:
        read_at(place_of(action), action.mode);
        break;
      case Action::Kind::Write:
        write_at(place_of(action));
        break;
      case Action::Kind::Nested:
        play_nested(action);
        break;
      case Action::Kind::OrElse:
        play_or_else(action);
        break;
      case Action::Kind::Wait:
        wait_for_gate();
        break;
      case Action::Kind::Make:
        make_object(action);
        break;
      case Action::Kind::Irrevocable:
        become_irrevocable();
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
  } catch (const Retry&) {
    recorder_.reverts();
    if (alternatives_ > 0) hide_from_inline_checks(self);
    throw;
  }
  recorder_.closes();
}

void Player::play_or_else(const Action& action) {
  for (const Action& alternative : action.actions) {
    recorder_.opens();
    const Savepoint savepoint = open_savepoint(self);
    ++alternatives_;
    try {
      play(alternative.actions);
      if (alternative.fails && !is_irrevocable(self)) retry();
      --alternatives_;
      close_savepoint(self);
      recorder_.closes();
      return;
    } catch (const Retry&) {
      --alternatives_;
      show_to_inline_checks(self);
      revert_savepoint(self, savepoint);
      recorder_.reverts();
    }
  }
  retry();
}

void Player::wait_for_gate() {
  if (is_irrevocable(self)) return;
  const auto value = number_of(read_at(variables_.gate(), Mode::Read));
  if (!gate_) gate_ = value;
  if (gate_ == value) retry();
}

void Player::retry() {
  if (alternatives_ > 0) {
    hide_from_inline_checks(self);
  } else {
    leaves_ = true;
  }
  throw Retry{};
}

void Player::make_object(const Action& action) {
  const auto link = make<Link>(next_number(), make_private());
  for (const int attribute : {0, 1}) recorder_.writes(place_in(*link, attribute).name, std::nullopt);
  if (action.leaks) {
    leaked_.push_back(link);
    variables_.leak(link);
  }
  for (const int attribute : {0, 1}) {
    if (chance(random_, 4)) pause();
    if (!chance(random_, 4)) write_at(place_in(*link, attribute));
  }
  write_at(variables_[action.variable], Ref<Object>::borrowed(link.get()));
  if (chance(random_, 2)) write_at(place_in(*link, 0));
}

void Player::become_irrevocable() {
  if (is_irrevocable(self)) return;
  leaves_ = true;
  throw NeedsToken{};
}

Place Player::place_of(const Action& action) {
  const Place place = variables_[action.variable];
  switch (action.way) {
    case Action::Way::Straight:
      break;
    case Action::Way::Along: {
      const auto value = read_at(place, Mode::Read);
      if (const Link* link = as_link(value)) return place_in(*link, action.variable % 2);
      break;
    }
    case Action::Way::Leaked:
      if (const auto link = variables_.leaked(random_); link.get())
        return place_in(*link, action.variable % 2);
      break;
  }
  return place;
}

Ref<Object> Player::read_at(const Place& place, Mode mode) {
  try {
    auto value = read(*place.thing, place.attribute, mode);
    const auto number = number_of(value);
    recorder_.reads(place.name, number);
    if ((!number || *number < first_own_) && place.record().held_by(self) != Mode::Private)
      seen_.push_back({place, number});
    return value;
  } catch (const Aborted&) {
    recorder_.refused(place.name);
    throw;
  }
}

void Player::write_at(const Place& place, Ref<Object> value) {
  const long number = value->number;
  try {
    write(*place.thing, std::move(value), place.attribute);
    recorder_.writes(place.name, number);
  } catch (const Aborted&) {
    recorder_.refused(place.name);
    throw;
  }
}

// What a handler or a `finally` does while the abort unwinds: it has what it had, and what is free.
void Player::clean_up(const Place& place) {
  if (ask(*place.thing, place.attribute, Mode::Read, true) == Outcome::Aborted) return;
  recorder_.reads(place.name, number_of(Ref<Object>::borrowed(static_cast<Object*>(place.slot().load()))));
}

std::optional<long> Player::number_of(const Ref<Object>& value) {
  if (!value.get()) return std::nullopt;
  if (is_gone(*value)) fatal_("a value was read that had been given back");
  return value->number;
}

Ref<Object> Player::read_outside(const Place& place) {
  recorder_.begins();
  auto value = committed(*place.thing, place.attribute);
  recorder_.reads(place.name, number_of(value));
  recorder_.ends("committed");
  return value;
}

void Player::write_outside(const Place& place) {
  if (!quick || !write_at_once(place)) call([&] { write_at(place); });
}

bool Player::write_at_once(const Place& place) {
  recorder_.begins();
  if (!place.record().take_if_free(self.thin_id, Mode::Write)) return false;
  recorder_.commits();
  const auto value = make<Value>(next_number());
  recorder_.writes(place.name, value->number);
  void* const old_value = place.slot().exchange(Ref<Value>(value).give_away());
  if (!place.record().release_if_alone(self.thin_id)) release_and_wake(self, place.record(), true);
  recorder_.ends("committed");
  reclaim_reference(old_value);
  return true;
}

void Player::write_all() {
  call([&] {
    for (int variable = 0; variable <= variables_.count(); ++variable) write_at(variables_[variable]);
  });
}

void Player::read_all() {
  for (int variable = 0; variable <= variables_.count(); ++variable) read_outside(variables_[variable]);
}

bool Player::has_ended() const {
  const std::lock_guard guard(mutex_);
  return stage_ == Stage::Ended;
}

bool Player::is_settled(Player& looker) const {
  const std::lock_guard guard(mutex_);
  return stage_ != Stage::Plays &&
         std::all_of(asleep_over_.begin(), asleep_over_.end(), [&](const Seen& seen) {
           return looker.number_of(looker.committed(*seen.place.thing, seen.place.attribute)) == seen.value;
         });
}

// As many as come in a second or so: longer than it takes the writer to be scheduled.
constexpr int kMostArrivals = 20'000;

void Player::read_in_relay(Relay& relay) {
  while (!relay.written) {
    call([&] {
      read_at(variables_[0], Mode::Read);
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
  call([&] { write_at(variables_[0]); });
  relay.written = true;
}

void Player::start(const Options& options) {
  leaves_ = false;
  alternatives_ = 0;
  first_own_ = (number_ + 1) * 10'000 + written_ + 1;
  seen_.clear();
  leaked_.clear();
  recorder_.begins();
  Thread::start(options);
  if (options.irrevocable) recorder_.is_irrevocable();
}

bool Player::finish() {
  recorder_.commits();
  if (!Thread::finish()) return false;
  recorder_.ends("committed");
  return true;
}

void Player::abort() {
  doom(self);
  const std::vector<Seen> left = left_behind();
  const std::uint64_t since = stamp();
  Thread::abort();
  for (const Seen& seen : left) recorder_.left(since, seen.place.name, *seen.value);
  recorder_.ends(leaves_ ? "reverted" : "aborted");
}

// What the replay leaves in the objects that have leaked: what is there, or was before the first write that
// was logged.
std::vector<Player::Seen> Player::left_behind() {
  std::vector<Seen> left;
  for (const Ref<Link>& link : leaked_) {
    for (const int attribute : {0, 1}) {
      const Place place = place_in(*link, attribute);
      void* value = place.slot().load();
      self.log.backwards(self.first_entry.get(), [&](const LogEntry& entry) {
        if (entry.slot.get() == &place.slot() && !(entry.flags.get() & LogEntry::kVoid))
          value = entry.old_value.get();
      });
      if (value) left.push_back({place, static_cast<Object*>(value)->number});
    }
  }
  return left;
}

Watch::Woken Player::sleep(Watch& watch, Clock::time_point deadline) {
  const auto be = [&](Stage stage, std::vector<Seen> seen) {
    const std::lock_guard guard(mutex_);
    stage_ = stage;
    asleep_over_.swap(seen);
  };
  be(Stage::Sleeps, seen_);
  const Watch::Woken woken = Thread::sleep(watch, deadline);
  be(Stage::Plays, {});
  return woken;
}

void Player::pause() {
  if (chance(random_, 2)) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 100));
  }
}

}  // namespace stmpy::core::test
