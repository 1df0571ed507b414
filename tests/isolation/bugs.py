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

    def planted(self) -> str:
        """The file with the bug in it. ValueError where the core has changed below it."""
        source = (ROOT / "runtime" / "core" / self.file).read_text()
        if source.count(self.text) != 1:
            raise ValueError(
                f"the text of bug '{self.name}' is {source.count(self.text)} times in {self.file}, "
                "instead of once: write the bug anew"
            )
        return source.replace(self.text, self.instead)


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
