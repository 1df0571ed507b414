// Values of several cells as they were at one moment, read from outside of transactions and without waiting.
//
// What is read is remembered with who was writing it and how far that attempt had come. Where all of that is
// still so when everything has been read, no value changed between the first read and then. No code of the
// user's may run while it lives.
#pragma once

#include <vector>

#include "runtime/core/outside.h"
#include "runtime/python/thread.h"

namespace stmpy {

class CommittedView {
 public:
  // With room for that many reads. std::bad_alloc.
  CommittedView(const Thread& thread, std::size_t reads) : observer_(thread.descriptor) {
    seen_.reserve(reads);
  }

  // Counted; null for no value.
  PyObject* read(const Cell& cell);
  // Another slot under the record of the cell that was read last.
  PyObject* read_also(const core::Slot& slot);
  bool still_so() const;

 private:
  struct Seen {
    const core::Record* record;
    core::Record::View view;
    std::uint64_t status;  // the writer's

    bool operator==(const Seen&) const = default;
  };
  static Seen look_at(const core::Record& record);

  core::Observer observer_;
  std::vector<Seen> seen_;
};

}  // namespace stmpy
