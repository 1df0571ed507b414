"""Mistakes to plant in copies of the core, which histories must show. Each breaks one rule of the protocol.

``python bugs.py N FOLDER`` writes the file with bug N below the folder and prints its path; CMake does that
for each number in STMPY_BUG, and builds `core_histories_bug_N`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Bug:
    name: str
    file: str
    """In runtime/core. In a header, a function that only the core calls, not the program that plays."""
    text: str
    instead: str
    also: tuple[tuple[str, str], ...] = ()
    """Further texts, and what stands in their places."""

    def planted(self) -> str:
        """The file with the bug in it. ValueError where the core has changed below it."""
        source = (ROOT / "runtime" / "core" / self.file).read_text()
        for text, instead in ((self.text, self.instead), *self.also):
            if source.count(text) != 1:
                raise ValueError(
                    f"the text of bug '{self.name}' is {source.count(text)} times in {self.file}, "
                    "instead of once: write the bug anew"
                )
            source = source.replace(text, instead)
        return source


BUGS = [
    Bug(
        "an outside read without its version check",
        "outside.cpp",
        """\
      schedule(Step::Peeked);
      if (record.view() == before) return value;
      continue;
    }
    const Status status""",
        """\
      return value;
    }
    const Status status""",
    ),
    Bug(
        "a write ownership that ends without a new version",
        "ownership.h",
        "(written ? kVersionStep : 0)",
        "(written ? 0 : 0)",
    ),
    Bug(
        "an outside read that takes the newest log entry for the value before the attempt",
        "outside.cpp",
        "    return !found;\n",
        "    return true;\n",
    ),
    Bug(
        "references given back under the eyes of observers",
        "reclaim.cpp",
        "  return nobody_in_phase(0) && nobody_in_phase(1);",
        "  return true;",
    ),
    Bug(
        "a reverted savepoint that lets go of what was read in it",
        "transaction.cpp",
        "  self.counters.add(Counter::NestedReverts);\n",
        """\
  self.counters.add(Counter::NestedReverts);
  if (const Access* last = self.accesses.last_since(self.first_access.get())) {
    if (last->record.get()->held_by(self) == Mode::Read) last->record.get()->release(self);
  }
""",
    ),
    Bug(
        "a reverted savepoint that forgets the values from before the attempt",
        "transaction.cpp",
        "const bool keep = (entry.flags.get() & LogEntry::kFirst) != 0;",
        "const bool keep = false;",
    ),
    Bug(
        "a write in a savepoint that is not logged again",
        "transaction.cpp",
        "  if (self.depth == 0) return false;\n",
        "  return false;\n",
    ),
    Bug(
        "a log that is replayed in the order of writing",
        "transaction.cpp",
        "  self.log.backwards(self.first_entry.get(), undo);",
        "  self.log.forwards(self.first_entry.get(), undo);",
    ),
    Bug(
        "a release before the log is replayed",
        "transaction.cpp",
        """\
  self.log.backwards(self.first_entry.get(), undo);
  schedule(Step::Undone);
  end_attempt(self, false);
""",
        """\
  end_attempt(self, false);
  schedule(Step::Undone);
  self.log.backwards(self.first_entry.get(), undo);
""",
    ),
    Bug(
        "a commit that does not look whether the attempt was doomed",
        "transaction.cpp",
        """\
  if (state != State::Active && state != State::Irrevocable) [[unlikely]]
    return false;
  const std::uint64_t committed = Status::of(Status{status}.generation(), State::Committed).bits;
  if (!self.status.compare_exchange(status, committed)) [[unlikely]]
    return false;
""",
        """\
  if (state == State::Idle) return false;
  self.status.store(Status::of(Status{status}.generation(), State::Committed).bits);
""",
    ),
    Bug(
        "a doom that reaches the next attempt",
        "conflict.cpp",
        """\
    if (seen.generation() != attempt.generation || ends_by_itself(seen.state())) return true;
    if (seen.state() != State::Active) return false;
""",
        """\
    if (ends_by_itself(seen.state())) return true;
    if (seen.state() != State::Active) return false;
""",
    ),
    Bug(
        "a claim that holds nobody back",
        "ownership.cpp",
        "  if (!holds && fat->claim_is_pending() && ",
        "  if (false && ",
    ),
    Bug(
        "an upgrade that ignores other readers",
        "ownership.cpp",
        "    if (index != own && !compatible(mode, thin.mode_of(index))) other = index;",
        "    if (index != own && own < 0 && !compatible(mode, thin.mode_of(index))) other = index;",
    ),
    Bug(
        "a reader that is let in beside a writer where the record is fat",
        "ownership.cpp",
        "    if (holder.descriptor != &self && !compatible(mode, holder.mode)) {",
        "    if (holder.descriptor != &self && mode != Mode::Read && !compatible(mode, holder.mode)) {",
    ),
    Bug(
        "a fat record that becomes thin while somebody holds it",
        "ownership.cpp",
        "    if (fat_->holders.empty() && !fat_->claim_is_pending()) {",
        "    if (!fat_->claim_is_pending()) {",
    ),
    Bug(
        "a requester that holds something and waits where it is",
        "conflict.cpp",
        "  if (holds_nothing(self)) return wait_in_place(self, record, mode, refusal);\n",
        "  if (true) return wait_in_place(self, record, mode, refusal);\n",
    ),
    Bug(
        "waiters that are woken before the attempt has ended",
        "transaction.cpp",
        """\
  self.status.store_fenced(Status::of(self.state().generation(), State::Idle).bits);
  schedule(Step::Ended);
  if (self.waiting_for_it.load(std::memory_order_seq_cst) != 0) [[unlikely]] {
    const std::lock_guard guard(self.waiters_mutex);
    for (const Waiter* waiter = self.first_waiter; waiter; waiter = waiter->next) waiter->parker->unpark();
  }
""",
        """\
  if (self.waiting_for_it.load(std::memory_order_seq_cst) != 0) {
    const std::lock_guard guard(self.waiters_mutex);
    for (const Waiter* waiter = self.first_waiter; waiter; waiter = waiter->next) waiter->parker->unpark();
  }
  schedule(Step::Ended);
  self.status.store_fenced(Status::of(self.state().generation(), State::Idle).bits);
""",
    ),
    Bug(
        "a waiter that does not look again after it has registered",
        "conflict.cpp",
        "    if (!in_progress(of)) break;\n",
        "    if (slept && !in_progress(of)) break;\n",
        # No step of its own lies between the refusal and this: here others come in between.
        (("    const Waiting waiting(", "    schedule(Step::Dooming);\n    const Waiting waiting("),),
    ),
    Bug(
        "a retry that enters the watchers' table when it has let go of everything",
        "watch.cpp",
        """\
    enter(watcher);
    watcher.record->set_watched();
""",
        "    watcher.record->set_watched();\n",
        (
            (
                "  const bool looks = host.handles_signals();\n",
                """\
  for (Watcher& watcher : watchers_) enter(watcher);
  const bool looks = host.handles_signals();
""",
            ),
            (
                "    self_.parker.park(looks ? std::min(deadline, now + signal_period) : deadline);\n",
                """\
    self_.parker.park(looks ? std::min(deadline, now + signal_period) : deadline);
    for (Watcher& watcher : watchers_) leave(watcher);
    for (Watcher& watcher : watchers_) enter(watcher);
""",
            ),
        ),
    ),
    Bug(
        "a sleeper in retry that forgets a wake-up which came before it slept",
        "watch.cpp",
        """\
    self_.parker.reset();
    if (woken_.load(kAcquire)) return Woken::Changed;
""",
        """\
    if (woken_.load(kAcquire)) return Woken::Changed;
    schedule(Step::Parking);
    self_.parker.reset();
""",
    ),
    Bug(
        "an abort that takes the watched bit",
        "watch.cpp",
        "    if (record.release(self, changed)) note_watchers(self, record);\n",
        "    if (record.release(self) && changed) note_watchers(self, record);\n",
    ),
    Bug(
        "a change that wakes the first one who watches",
        "watch.cpp",
        "    if (watcher->record != &record) continue;\n",
        "    if (watcher->record != &record || !self.to_wake.empty()) continue;\n",
    ),
    Bug(
        "a reverted alternative whose reads are not watched",
        "transaction.cpp",
        "  self.counters.add(Counter::NestedReverts);\n",
        """\
  self.counters.add(Counter::NestedReverts);
  if (const Access* last = self.accesses.last_since(self.first_access.get()))
    of_alternative = last->record.get();
""",
        (
            (
                """\
bool doom(Descriptor& self) {
""",
                """\
thread_local const Record* of_alternative = nullptr;

bool doom(Descriptor& self) {
  const Access* last = self.accesses.last_since(self.first_access.get());
  if (last && last->record.get() == std::exchange(of_alternative, nullptr)) {
    void* const object = last->counted() ? last->object() : nullptr;
    last->record.get()->release(self, false);
    self.accesses.pop();
    if (object) reclaim_reference(object);
  }
""",
            ),
        ),
    ),
    Bug(
        "a reverted alternative whose writes stay",
        "transaction.cpp",
        "  self.log.backwards(savepoint.log, undo);\n  revert_effects",
        "  revert_effects",
    ),
    Bug(
        "an irrevocable attempt that gives up as others do",
        "conflict.cpp",
        "  if (is_irrevocable(self)) return insist(self, record, mode, refusal);\n",
        "",
    ),
    Bug(
        "an irrevocable attempt that is doomed",
        "conflict.cpp",
        "  return now.state() == State::Active && older(self, *attempt.descriptor);\n",
        "  return now.state() == State::Irrevocable || older(self, *attempt.descriptor);\n",
        (("    if (seen.state() != State::Active) return false;\n", ""),),
    ),
    Bug(
        "a token that is given to two",
        "irrevocable.cpp",
        """\
  if (Descriptor* other = older_call(self)) return other;
  Descriptor* holder = nullptr;
  if (!token.compare_exchange_strong(holder, &self)) return holder;
""",
        """\
  if (Descriptor* other = older_call(self); other && !other->has_token) return other;
  token.store(&self);
""",
        (
            (
                "  Descriptor* other = older_call(self);\n  if (other) token",
                "  Descriptor* other = nullptr;\n  if (other) token",
            ),
        ),
    ),
    Bug(
        "an outside read that takes what somebody makes for committed",
        "outside.cpp",
        "before.is_private || find_pre_image(",
        "find_pre_image(",
    ),
    Bug(
        "a private object that is published at the end of a nested call",
        "transaction.cpp",
        "  --self.depth;\n",
        """\
  --self.depth;
  self.made.forwards(self.first_made.get(), [&](const Made& made) {
    made.for_each_record([&](Record& record) { record.release(self); });
  });
""",
    ),
    Bug(
        "a private object that others are let in to",
        "ownership.cpp",
        "    if (index != own && !compatible(mode, thin.mode_of(index))) other = index;",
        """\
    if (index != own && !compatible(mode, thin.mode_of(index)) && thin.mode_of(index) != Mode::Private)
      other = index;""",
    ),
    Bug(
        "a private object that stays its maker's when the attempt is aborted",
        "transaction.cpp",
        "    release_rest(self, committed);\n",
        """\
    release_rest(self, committed);
  if (!committed) {
    self.made.forwards(self.first_made.get(), [&](const Made& made) {
      made.for_each_record([&](Record& record) {
        Refusal refusal;
        record.request(self, Mode::Write, refusal);
      });
    });
  }
""",
    ),
    Bug(
        "a write to a private object in a savepoint that is not logged",
        "transaction.cpp",
        "  if (self.depth == 0) return false;\n",
        "  if (self.depth == 0 || record.held_by(self) == Mode::Private) return false;\n",
    ),
    Bug(
        "an outside read that takes the value before an attempt that has committed, at every other version",
        "outside.cpp",
        "    if (status.state() == State::Committed) {",
        "    if (status.state() == State::Committed && before.version >> Record::kVersionShift & 1) {",
        (("now.in_progress() && now.state() != State::Committed &&", "now.in_progress() &&"),),
    ),
    Bug(
        "an outside read that takes what is there while its owner is aborted",
        "outside.cpp",
        "    if (status.state() == State::Committed) {",
        "    if (status.state() == State::Committed || status.state() == State::Doomed) {",
    ),
]
"""By number, from 1."""


def plant(number: int, folder: Path) -> Path:
    bug = BUGS[number - 1]
    path = folder / "runtime" / "core" / bug.file
    text = bug.planted()
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


if __name__ == "__main__":
    print(plant(int(sys.argv[1]), Path(sys.argv[2])), end="")
