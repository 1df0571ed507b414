// usage: core_histories [--seed=N] [--count=N] [--threads=N] [--patience=SECONDS]
//
// Plays random programs on the core and prints their histories for tests/isolation, each between a line that
// begins with "#" and the line "end". What can be seen without a checker ends the process with status 2,
// behind a line that begins with "!": a history that does not end, a value that is used after it was given
// back, references or holds that are left.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <memory>
#include <thread>

#include "tests/core/histories/disturbance.h"
#include "tests/core/histories/player.h"
#include "tests/core/histories/values.h"

namespace stmpy::core::test {
namespace {

struct Settings {
  unsigned long seed = 1, count = 1, threads = 8, patience = 60;
};

// Also called by a signal handler, and by whatever thread it is that cannot go on.
void fatal(const char* what) {
  const auto say = [](const char* text) { return write(STDOUT_FILENO, text, std::strlen(text)) >= 0; };
  _exit(say("! ") && say(what) && say("\n") ? 2 : 3);
}

class Round {
 public:
  Round(Random& random, int threads, bool relay)
      : random_(random),
        relays_(relay),
        program_(make_program(random, threads)),
        variables_(program_.variables) {}

  void play() {
    Player first(0, variables_, Random(random_()), fatal);
    first.write_all();
    const auto slow = choose_slow_steps(random_);
    std::latch ready(static_cast<std::ptrdiff_t>(program_.threads.size()) + 1);
    std::vector<std::thread> threads;
    for (std::size_t index = 0; index < program_.threads.size(); ++index) {
      players_.push_back(nullptr);
      seeds_.push_back(random_());
    }
    for (std::size_t index = 0; index < program_.threads.size(); ++index) {
      threads.emplace_back([&, index] {
        auto& player = players_[index];
        player =
            std::make_unique<Player>(static_cast<int>(index) + 1, variables_, Random(seeds_[index]), fatal);
        disturb(slow, Random(seeds_[index] + 1));
        ready.arrive_and_wait();
        play(*player, index);
        player->end();
      });
    }
    ready.arrive_and_wait();
    open_gates(first);
    for (std::thread& thread : threads) thread.join();
    alarm(0);  // whoever reads what is printed takes the time he needs
    first.read_all();
    print(first.recorder());
    for (const auto& player : players_) print(player->recorder());
    std::puts("end");
    std::fflush(stdout);
    if (variables_.any_held()) fatal("something is held or claimed when all threads have ended");
  }

 private:
  void play(Player& player, std::size_t index) {
    if (!relays_) {
      for (const Call& call : program_.threads[index]) player.play(call);
    } else if (index == 0) {
      player.write_in_relay(relay_);
    } else {
      player.read_in_relay(relay_);
    }
  }
  // Until all have ended: a gate for those who wait, each time that all who are left do. Where one of them
  // has missed a change, the history does not end.
  void open_gates(Player& first) {
    const auto all = [&](auto condition) { return std::all_of(players_.begin(), players_.end(), condition); };
    while (!all([](const auto& player) { return player->has_ended(); })) {
      if (all([&](const auto& player) { return player->is_settled(first); })) first.open_gate();
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }
  static void print(const Recorder& recorder) {
    for (const std::string& attempt : recorder.attempts()) std::puts(attempt.c_str());
  }

  Random& random_;
  const bool relays_;
  const Program program_;
  Variables variables_;
  Player::Relay relay_;
  std::vector<std::uint64_t> seeds_;
  std::vector<std::unique_ptr<Player>> players_;
};

void play(const Settings& settings) {
  install_host();
  signal_period = std::chrono::hours(1);  // a lost wake-up is not made up for
  std::signal(SIGALRM, [](int) { fatal("the history does not end"); });
  for (unsigned long number = 0; number < settings.count; ++number) {
    Random random(settings.seed * 1'000'003 + number);
    const bool relay = number % 16 == 15;
    const int threads = relay ? 4 : static_cast<int>(random() % settings.threads) + 1;
    std::printf("# seed %lu, history %lu, %d threads\n", settings.seed, number, threads);
    std::fflush(stdout);
    alarm(static_cast<unsigned>(settings.patience));
    Round(random, threads, relay).play();
    Observer::empty_limbo();
    if (Object::alive != 0) fatal("references were lost, or given back twice");
    forget_gone_values();
  }
}

}  // namespace
}  // namespace stmpy::core::test

int main(int count, char** arguments) {
  stmpy::core::test::Settings settings;
  for (int index = 1; index < count; ++index) {
    const auto given = [&](const char* name, unsigned long& value) {
      const std::size_t length = std::strlen(name);
      if (std::strncmp(arguments[index], name, length) != 0) return false;
      value = std::strtoul(arguments[index] + length, nullptr, 10);
      return true;
    };
    if (!given("--seed=", settings.seed) && !given("--count=", settings.count) &&
        !given("--threads=", settings.threads) && !given("--patience=", settings.patience)) {
      std::fprintf(stderr, "unknown option: %s\n", arguments[index]);
      return 1;
    }
  }
  stmpy::core::test::play(settings);
}
