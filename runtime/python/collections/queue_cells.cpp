// Reading and changing the cells of a queue.

#include <algorithm>
#include <new>

#include "runtime/python/collections/committed_view.h"
#include "runtime/python/collections/queue.h"

namespace stmpy {
namespace {

constexpr std::uint32_t kFirstPlaces = 8;
constexpr int kLooks = 8;

Py_ssize_t maxsize_of(PyObject* self) {
  std::atomic<Py_ssize_t>& maxsize = queue_of(self)->maxsize;
  Py_ssize_t known = maxsize.load(std::memory_order_relaxed);
  // Used before __init__ has set one: now it is too late.
  return known == kUnset && maxsize.compare_exchange_strong(known, 0) ? 0 : known;
}

// Places that the ring has from the start.
std::uint32_t first_places(PyObject* self) {
  const Py_ssize_t maxsize = maxsize_of(self);
  return maxsize > 0 ? static_cast<std::uint32_t>(std::min<Py_ssize_t>(maxsize, kFirstPlaces)) : kFirstPlaces;
}

// --- what stands in the cells; none stands for what is so at first

constexpr unsigned long long kClosed = 1ull << 63;

RingEnd to_end(PyObject* number, std::uint32_t first_place) {
  if (!number) return {first_place, 0};
  const unsigned long long packed = PyLong_AsUnsignedLongLong(number);
  return {static_cast<std::uint32_t>(packed), static_cast<std::uint32_t>(packed >> 32) & kMostItems,
          (packed & kClosed) != 0};
}
RingEnd to_head(PyObject* number) { return to_end(number, 0); }
RingEnd to_tail(PyObject* self, PyObject* number) { return to_end(number, first_places(self) - 1); }

Ref from_end(RingEnd end) {
  return Ref::steal(PyLong_FromUnsignedLongLong(
      (end.is_closed ? kClosed : 0) | static_cast<unsigned long long>(end.passed) << 32 | end.place));
}

Py_ssize_t between(RingEnd head, RingEnd tail) {
  return static_cast<Py_ssize_t>((tail.passed - head.passed) & kMostItems);
}

std::uint32_t to_number(PyObject* number, std::uint32_t at_first) {
  return number ? static_cast<std::uint32_t>(PyLong_AsUnsignedLong(number)) : at_first;
}
std::uint32_t behind(PyObject* self, std::uint32_t place, PyObject* number) {
  return to_number(number, (place + 1) % first_places(self));
}

// Null with MemoryError.
Cell* item_cell(PyObject* self, std::uint32_t place) {
  return queue_of(self)->cells.make(2 * static_cast<std::size_t>(place));
}
Cell* link_cell(PyObject* self, std::uint32_t place) {
  return queue_of(self)->cells.make(2 * static_cast<std::size_t>(place) + 1);
}

Done read(Thread& thread, PyObject* self, Cell* cell, Ref& value) {
  if (!cell) return Done::Failed;
  PyObject* found = nullptr;
  const Done done = read_cell_fast(thread, self, *cell, found);
  value = Ref::steal(found);
  return done;
}
Done own(Thread& thread, PyObject* self, Cell* cell) {
  return cell ? own_cell(thread, self, *cell) : Done::Failed;
}

// Whether a put has to leave the place behind the tail alone: there is an item in it, which a get may be
// taking out just now. What is empty to others may be owned all the same, by a get that found it so; whoever
// goes round it would put an item where the head has been already. The tail is owned.
bool is_taken(const Thread& thread, const Cell& place) {
  if (place.record.view().writer == &thread.descriptor) return place.peek();
  const core::Observer observer(thread.descriptor);
  return core::committed_value(observer, place.record, place.value) != nullptr;
}

Done fail_closed() {
  raise_of_queue("ShutDown");
  return Done::Failed;
}

// The tail is owned, and the place behind it is not taken: nobody else can fill it.
Done put_into(Thread& thread, PyObject* self, PyObject* item, RingEnd tail, std::uint32_t next) {
  Cell* const place = item_cell(self, next);
  const Done done = own(thread, self, place);
  if (done != Done::Yes) return done;
  const Ref new_tail = from_end(tail.next(next));
  if (!new_tail) return Done::Failed;
  const Ref replaced[] = {Ref::steal(exchange_value(*place, item)),
                          Ref::steal(exchange_value(queue_of(self)->tail, new_tail.get()))};
  return Done::Yes;
}

// Makes the ring larger by a place with the item in it, between the tail and the place behind it, where that
// is taken still. The tail is owned.
Done put_into_new_place(Thread& thread, PyObject* self, PyObject* item, RingEnd tail, std::uint32_t next) {
  Queue* const queue = queue_of(self);
  Cell* const link = link_cell(self, tail.place);
  Done done = own(thread, self, &queue->size);
  if (done == Done::Yes) done = own(thread, self, link);
  if (done != Done::Yes) return done;
  // From here on no get comes by the tail. Until now all may have been taken, and the head be behind it.
  if (!is_taken(thread, *item_cell(self, next))) return put_into(thread, self, item, tail, next);
  const std::uint32_t place = to_number(queue->size.peek(), first_places(self));
  Cell *const new_item = item_cell(self, place), *const new_link = link_cell(self, place);
  done = own(thread, self, new_item);
  if (done == Done::Yes) done = own(thread, self, new_link);
  if (done != Done::Yes) return done;
  const Ref number = Ref::steal(PyLong_FromUnsignedLong(place));
  const Ref number_behind = Ref::steal(PyLong_FromUnsignedLong(next));
  const Ref size = Ref::steal(PyLong_FromUnsignedLong(place + 1));
  const Ref new_tail = from_end(tail.next(place));
  if (!number || !number_behind || !size || !new_tail) return Done::Failed;
  // Integers, and places that were empty: nothing of the user's is let go.
  const Ref replaced[] = {
      Ref::steal(exchange_value(*new_item, item)), Ref::steal(exchange_value(*new_link, number_behind.get())),
      Ref::steal(exchange_value(*link, number.get())), Ref::steal(exchange_value(queue->size, size.get())),
      Ref::steal(exchange_value(queue->tail, new_tail.get()))};
  return Done::Yes;
}

}  // namespace

Done put_item(Thread& thread, PyObject* self, PyObject* item, bool& full) {
  Queue* const queue = queue_of(self);
  full = false;
  Done done = own(thread, self, &queue->tail);
  if (done != Done::Yes) return done;
  const RingEnd tail = to_tail(self, queue->tail.peek());
  if (tail.is_closed) return fail_closed();
  Ref link;
  done = read(thread, self, link_cell(self, tail.place), link);
  if (done != Done::Yes) return done;
  const std::uint32_t next = behind(self, tail.place, link.get());
  Cell* const place = item_cell(self, next);
  if (!place) return Done::Failed;
  if (!is_taken(thread, *place)) return put_into(thread, self, item, tail, next);
  if (const Py_ssize_t maxsize = maxsize_of(self)) {
    Ref size, there;
    done = read(thread, self, &queue->size, size);
    if (done != Done::Yes) return done;
    if (static_cast<Py_ssize_t>(to_number(size.get(), first_places(self))) >= maxsize) {
      done = read(thread, self, place, there);
      full = static_cast<bool>(there);
      return done != Done::Yes || full ? done : put_into(thread, self, item, tail, next);
    }
  }
  return put_into_new_place(thread, self, item, tail, next);
}

Done read_is_empty(Thread& thread, PyObject* self, bool& empty) {
  Ref head, item;
  Done done = read(thread, self, &queue_of(self)->head, head);
  if (done == Done::Yes) done = read(thread, self, item_cell(self, to_head(head.get()).place), item);
  empty = !item;
  return done;
}

namespace {

// Null where there is none.
Done take_item(Thread& thread, PyObject* self, Ref& item) {
  Queue* const queue = queue_of(self);
  item = Ref();
  // Who finds it empty only reads: any number of them may look, and wait for an item.
  const Cell* const likely = queue->likely_head.load(core::kAcquire);
  if (!likely || !likely->peek()) {
    bool empty;
    const Done done = read_is_empty(thread, self, empty);
    if (done != Done::Yes || empty) return done;
  }
  Done done = own(thread, self, &queue->head);
  if (done != Done::Yes) return done;
  const RingEnd head = to_head(queue->head.peek());
  Cell* const place = item_cell(self, head.place);
  done = own(thread, self, place);
  if (done != Done::Yes || !place->peek()) return done;
  Ref link;
  done = read(thread, self, link_cell(self, head.place), link);
  if (done != Done::Yes) return done;
  const std::uint32_t next = behind(self, head.place, link.get());
  const Ref new_head = from_end(head.next(next));
  Cell* const next_place = item_cell(self, next);
  if (!new_head || !next_place) return Done::Failed;
  item = Ref::steal(exchange_value(*place, nullptr));
  const Ref replaced = Ref::steal(exchange_value(queue->head, new_head.get()));
  queue->likely_head.store(next_place, core::kRelease);
  return Done::Yes;
}

// Whether items are not done of which `done` are. The number at the tail is registered only where it decides.
Done look_for_undone(Thread& thread, PyObject* self, std::uint32_t done, bool& some) {
  Queue* const queue = queue_of(self);
  const Ref seen = Ref::steal(peek_unrecorded(thread, queue->tail.record, queue->tail.value));
  some = to_tail(self, seen.get()).passed != done;
  if (some) return Done::Yes;
  Ref tail;
  const Done read_it = read(thread, self, &queue->tail, tail);
  some = to_tail(self, tail.get()).passed != done;
  return read_it;
}

// The number of items that are done is owned.
Done count_as_done(PyObject* self) {
  Cell& cell = queue_of(self)->done;
  const Ref done = Ref::steal(PyLong_FromUnsignedLong((to_number(cell.peek(), 0) + 1) & kMostItems));
  if (!done) return Done::Failed;
  const Ref replaced = Ref::steal(exchange_value(cell, done.get()));
  return Done::Yes;
}

}  // namespace

Done get_item(Thread& thread, PyObject* self, Ref& item) {
  if (const Done done = take_item(thread, self, item); done != Done::Yes || item) return done;
  // A put, which writes to the tail, conflicts with who finds the place behind it empty anyway.
  Ref tail;
  const Done done = read(thread, self, &queue_of(self)->tail, tail);
  return done == Done::Yes && to_tail(self, tail.get()).is_closed ? fail_closed() : done;
}

Done finish_item(Thread& thread, PyObject* self, bool& too_often) {
  Cell& done = queue_of(self)->done;
  if (const Done owned = own(thread, self, &done); owned != Done::Yes) return owned;
  const std::uint32_t number = to_number(done.peek(), 0);
  bool some;
  if (const Done looked = look_for_undone(thread, self, number, some); looked != Done::Yes) return looked;
  if (to_number(done.peek(), 0) != number) return Done::Again;  // by a finaliser that the look has let run
  too_often = !some;
  return some ? count_as_done(self) : Done::Yes;
}

Done read_all_done(Thread& thread, PyObject* self, bool& all_done) {
  Ref done;
  if (const Done was_read = read(thread, self, &queue_of(self)->done, done); was_read != Done::Yes)
    return was_read;
  bool some;
  const Done looked = look_for_undone(thread, self, to_number(done.get(), 0), some);
  all_done = !some;
  return looked;
}

Done close_queue(Thread& thread, PyObject* self, bool immediate) {
  Queue* const queue = queue_of(self);
  Done done = own(thread, self, &queue->tail);
  if (done == Done::Yes && immediate) done = own(thread, self, &queue->done);
  if (done != Done::Yes) return done;
  RingEnd tail = to_tail(self, queue->tail.peek());
  tail.is_closed = true;
  const Ref closed = from_end(tail);
  if (!closed) return Done::Failed;
  const Ref replaced = Ref::steal(exchange_value(queue->tail, closed.get()));
  while (immediate) {
    Ref item;
    done = take_item(thread, self, item);
    if (done == Done::Yes && item) done = count_as_done(self);
    if (done != Done::Yes || !item) return done;
  }
  return Done::Yes;
}

Done read_queue_size(Thread& thread, PyObject* self, Py_ssize_t& size) {
  Ref head, tail;
  Done done = read(thread, self, &queue_of(self)->head, head);
  if (done == Done::Yes) done = read(thread, self, &queue_of(self)->tail, tail);
  size = between(to_head(head.get()), to_tail(self, tail.get()));
  return done;
}

bool committed_queue_size(Thread& thread, PyObject* self, Py_ssize_t& size) {
  try {
    for (int look = 0; look < kLooks; ++look) {
      bool done;
      {
        CommittedView view(thread, 2);
        const Ref head = Ref::steal(view.read(queue_of(self)->head));
        const Ref tail = Ref::steal(view.read(queue_of(self)->tail));
        size = between(to_head(head.get()), to_tail(self, tail.get()));
        done = view.still_so();
      }
      core::Observer::empty_limbo();
      if (done) return true;
    }
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
  return in_one_transaction(thread, [&] { return read_queue_size(thread, self, size); });
}

Done read_items(Thread& thread, PyObject* self, Ref& items) {
  Py_ssize_t size;
  Done done = read_queue_size(thread, self, size);
  if (done != Done::Yes) return done;
  items = Ref::steal(PyList_New(0));
  Ref head;
  done = items ? read(thread, self, &queue_of(self)->head, head) : Done::Failed;
  std::uint32_t place = to_head(head.get()).place;
  for (Py_ssize_t turn = 0; done == Done::Yes && turn < size; ++turn) {
    Ref item, link;
    done = read(thread, self, item_cell(self, place), item);
    if (done == Done::Yes) done = read(thread, self, link_cell(self, place), link);
    if (done == Done::Yes && item && PyList_Append(items.get(), item.get()) < 0) return Done::Failed;
    place = behind(self, place, link.get());
  }
  return done;
}

}  // namespace stmpy
