// STMQueue: first in, first out, where a put and a get do not conflict unless it is empty or full.
//
// The items are in a ring of places. `tail` says which was filled last, `head` which is to be emptied next; a
// put owns the first, a get the second. A put takes the place behind the tail where it is free, else the ring
// grows by one that nobody else knows yet; only where it is as large as maxsize already does a put look at
// what gets do. A get looks at the place at the head: no item, nothing to get.
//
// Places are numbered and never given back (cell_array.h); the ring is as large as the queue ever was.
//
// What task_done() and join() need is how many items have passed the tail, and how many of them are done. Of
// the first it is enough to have seen a committed number: it only grows.
#pragma once

#include "runtime/python/collections/cell_array.h"
#include "runtime/python/collections/collection.h"

namespace stmpy {

// Of any queue.
inline constexpr std::uint32_t kMostItems = 0x7fffffff;

// One end of the ring, kept as one Python integer.
struct RingEnd {
  std::uint32_t place;
  std::uint32_t passed;    // how many items have passed this end, modulo 2 ** 31
  bool is_closed = false;  // of the tail: shutdown() was called

  RingEnd next(std::uint32_t to) const { return {to, (passed + 1) & kMostItems, is_closed}; }
};

inline constexpr Py_ssize_t kUnset = -1;

struct Queue {
  Shell shell;
  Cell head, tail;
  Cell size;                        // of the ring
  Cell done;                        // for how many items task_done() was called, modulo 2 ** 31
  CellArray cells;                  // of each place the item, and the number of the place behind it
  std::atomic<Py_ssize_t> maxsize;  // 0: none, kUnset: not yet; set once
  std::atomic<Cell*> likely_head;  // the item that the next get is likely to take: a hint, which may be stale
};

extern PyTypeObject* const queue_type;
inline Queue* queue_of(PyObject* self) { return reinterpret_cast<Queue*>(self); }

// queue.Empty, queue.Full or queue.ShutDown. Always null.
PyObject* raise_of_queue(const char* name);

// In a transaction. `full`: nothing was put. queue.ShutDown.
Done put_item(Thread& thread, PyObject* self, PyObject* item, bool& full);
// `item` is null where there is none. queue.ShutDown where there will be none.
Done get_item(Thread& thread, PyObject* self, Ref& item);
// `too_often`: all items that were ever put are done already, and nothing was changed.
Done finish_item(Thread& thread, PyObject* self, bool& too_often);
Done read_all_done(Thread& thread, PyObject* self, bool& all_done);
// `immediate`: takes out what is there, and that is done.
Done close_queue(Thread& thread, PyObject* self, bool immediate);
Done read_queue_size(Thread& thread, PyObject* self, Py_ssize_t& size);
Done read_is_empty(Thread& thread, PyObject* self, bool& empty);
// All items, in a list of Python's.
Done read_items(Thread& thread, PyObject* self, Ref& items);
// Outside of transactions: as of one moment. False with an exception.
bool committed_queue_size(Thread& thread, PyObject* self, Py_ssize_t& size);

int add_queue(PyObject* module);

}  // namespace stmpy
