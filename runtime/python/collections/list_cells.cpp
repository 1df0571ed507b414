// Reading and changing the cells of a list.

#include <algorithm>
#include <new>
#include <vector>

#include "runtime/python/collections/committed_view.h"
#include "runtime/python/collections/list.h"

namespace stmpy {
namespace {

// How often a reader outside looks whether nobody changes what it reads, before it waits for its turn.
constexpr int kLooks = 8;

std::size_t to_length(PyObject* number) { return number ? PyLong_AsSize_t(number) : 0; }
std::size_t peek_length(PyObject* self) { return to_length(list_of(self)->length.peek()); }

// Owns cells [from, to).
Done own_cells(Thread& thread, PyObject* self, std::size_t from, std::size_t to) {
  for (std::size_t index = from; index < to; ++index) {
    Cell* const cell = list_of(self)->cells.make(index);
    const Done done = cell ? own_cell(thread, self, *cell) : Done::Failed;
    if (done != Done::Yes) return done;
  }
  return Done::Yes;
}

Cell& cell_at(PyObject* self, std::size_t index) { return *list_of(self)->cells.find(index); }

// References that go at the end, when all is done: any code may run.
class Replaced {
 public:
  explicit Replaced(std::size_t room) { references_.reserve(room); }
  ~Replaced() {
    for (PyObject* reference : references_) Py_XDECREF(reference);
  }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  void add(PyObject* reference) { references_.push_back(reference); }

 private:
  std::vector<PyObject*> references_;
};

}  // namespace

Done read_length(Thread& thread, PyObject* self, std::size_t& length) {
  PyObject* number = nullptr;
  const Done done = read_cell_fast(thread, self, list_of(self)->length, number);
  const Ref owned = Ref::steal(number);
  length = to_length(number);
  return done;
}

Done own_length(Thread& thread, PyObject* self, std::size_t& length) {
  const Done done = own_cell(thread, self, list_of(self)->length);
  length = peek_length(self);
  return done;
}

Done read_element(Thread& thread, PyObject* self, Py_ssize_t index, PyObject*& value) {
  value = nullptr;
  Cell* cell = index < 0 ? nullptr : list_of(self)->cells.find(static_cast<std::size_t>(index));
  if (!cell) {  // counts from the end, or is beyond what any list here ever had
    std::size_t length;
    const Done done = read_length(thread, self, length);
    if (done != Done::Yes) return done;
    if (index < 0) index += static_cast<Py_ssize_t>(length);
    if (index < 0 || static_cast<std::size_t>(index) >= length) return Done::Yes;
    cell = &cell_at(self, static_cast<std::size_t>(index));
  }
  return read_cell_fast(thread, self, *cell, value);
}

Done write_element(Thread& thread, PyObject* self, Py_ssize_t index, PyObject* value, bool& missing) {
  missing = true;
  Cell* cell = index < 0 ? nullptr : list_of(self)->cells.find(static_cast<std::size_t>(index));
  if (!cell) {
    std::size_t length;
    const Done done = read_length(thread, self, length);
    if (done != Done::Yes) return done;
    if (index < 0) index += static_cast<Py_ssize_t>(length);
    if (index < 0 || static_cast<std::size_t>(index) >= length) return Done::Yes;
    cell = &cell_at(self, static_cast<std::size_t>(index));
  }
  const Done done = own_cell(thread, self, *cell);
  if (done != Done::Yes || !cell->peek()) return done;
  missing = false;
  const Ref replaced = Ref::steal(exchange_value(*cell, value));
  return Done::Yes;
}

Done splice(Thread& thread, PyObject* self, std::size_t length, std::size_t start, std::size_t stop,
            PyObject* const* items, std::size_t count) {
  const std::size_t new_length = length - (stop - start) + count;
  const std::size_t end = new_length == length ? stop : std::max(length, new_length);
  std::size_t length_now = length;
  Ref number;
  if (new_length != length) {
    number = Ref::steal(PyLong_FromSize_t(new_length));
    if (!number) return Done::Failed;
    const Done done = own_length(thread, self, length_now);
    if (done != Done::Yes) return done;
  }
  const Done done = own_cells(thread, self, start, end);
  if (done != Done::Yes) return done;
  if (length_now != length) return Done::Again;
  std::vector<PyObject*> old(end - start);
  for (std::size_t index = start; index < end; ++index) old[index - start] = cell_at(self, index).peek();
  Replaced replaced(stop - start + 1);
  for (std::size_t index = start; index < end; ++index) {
    PyObject* value = nullptr;
    if (index < start + count) {
      value = Py_NewRef(items[index - start]);
    } else if (index < new_length) {
      value = old[index - count - start + (stop - start)];  // moves, with its reference
    }
    cell_at(self, index).value.store(value, core::kRelease);
  }
  for (std::size_t index = start; index < stop; ++index) replaced.add(old[index - start]);
  if (number) replaced.add(exchange_value(list_of(self)->length, number.get()));
  return Done::Yes;
}

Done replace_selected(Thread& thread, PyObject* self, std::size_t length, const Selection& selection,
                      std::size_t count, PyObject* const* items) {
  if (count == 0) return Done::Yes;
  std::vector<std::size_t> selected(count);
  for (std::size_t turn = 0; turn < count; ++turn)
    selected[turn] = selection.index_of(static_cast<Py_ssize_t>(turn));
  if (items) {
    for (const std::size_t index : selected) {
      const Done done = own_cells(thread, self, index, index + 1);
      if (done != Done::Yes) return done;
    }
    Replaced replaced(count);
    for (std::size_t turn = 0; turn < count; ++turn)
      replaced.add(exchange_value(cell_at(self, selected[turn]), items[turn]));
    return Done::Yes;
  }
  std::sort(selected.begin(), selected.end());
  const std::size_t start = selected.front();
  const Done done = own_cells(thread, self, start, length);
  if (done != Done::Yes) return done;
  std::vector<PyObject*> kept;
  kept.reserve(length - start);
  for (std::size_t index = start, next = 0; index < length; ++index) {
    if (next < count && selected[next] == index) {
      ++next;
    } else {
      kept.push_back(cell_at(self, index).peek());
    }
  }
  return splice(thread, self, length, start, length, kept.data(), kept.size());
}

Done collect(Thread& thread, PyObject* self, Selection selection, Ref& items) {
  std::size_t length, length_now;
  Done done = read_length(thread, self, length);
  if (done != Done::Yes) return done;
  const Py_ssize_t count = selection.adjust(length);
  items = Ref::steal(PyList_New(count));
  if (!items) return Done::Failed;
  // Making it may have run finalisers, which may have changed the list.
  done = read_length(thread, self, length_now);
  if (done != Done::Yes) return done;
  if (length_now != length) return Done::Again;
  Py_ssize_t found = 0;
  for (Py_ssize_t turn = 0; turn < count; ++turn) {
    PyObject* value = nullptr;
    done = read_cell_fast(thread, self, cell_at(self, selection.index_of(turn)), value);
    if (done != Done::Yes) return done;
    if (value) PyList_SET_ITEM(items.get(), found++, value);
  }
  // Fewer than there were: in unrecorded(), where others change the list, and where the collector clears it.
  Py_SET_SIZE(reinterpret_cast<PyVarObject*>(items.get()), found);
  return Done::Yes;
}

namespace {

// The elements selected, as they were at one moment; false where somebody is changing them, or with an
// exception.
bool collect_committed(Thread& thread, PyObject* self, Selection selection, Ref& items) {
  const std::size_t length = [&] {
    const Ref number =
        Ref::steal(read_committed(thread, list_of(self)->length.record, list_of(self)->length.value));
    return to_length(number.get());
  }();
  const Py_ssize_t count = selection.adjust(length);
  items = Ref::steal(PyList_New(count));
  if (!items) return false;
  CommittedView view(thread, static_cast<std::size_t>(count) + 1);
  const Ref number = Ref::steal(view.read(list_of(self)->length));
  if (to_length(number.get()) != length) return false;
  for (Py_ssize_t turn = 0; turn < count; ++turn) {
    PyObject* const value = view.read(cell_at(self, selection.index_of(turn)));
    if (!value) return false;
    PyList_SET_ITEM(items.get(), turn, value);
  }
  return view.still_so();
}

}  // namespace

Ref items_of(PyObject* self, const Selection& selection) {
  Ref items;
  Thread* const thread = this_thread();
  if (!thread) return items;
  if (!thread->in_transaction()) {
    try {
      for (int look = 0; look < kLooks; ++look) {
        const bool done = collect_committed(*thread, self, selection, items);
        core::Observer::empty_limbo();
        if (done) return items;
        if (PyErr_Occurred()) return Ref();
      }
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
      return Ref();
    }
  }
  const bool done = in_one_transaction(*thread, [&] { return collect(*thread, self, selection, items); });
  return done ? std::move(items) : Ref();
}

PyObject* element_at(PyObject* self, Py_ssize_t index, bool& missing) {
  missing = false;
  Thread* const thread = this_thread();
  if (!thread) return nullptr;
  PyObject* value = nullptr;
  if (thread->in_transaction()) {
    if (!in_one_transaction(*thread, [&] { return read_element(*thread, self, index, value); }))
      return nullptr;
  } else if (index >= 0) {
    const Cell* const cell = list_of(self)->cells.find(static_cast<std::size_t>(index));
    if (cell) value = read_committed(*thread, cell->record, cell->value);
  } else {
    const Ref items = items_of(self, {index, index == -1 ? PY_SSIZE_T_MAX : index + 1, 1});
    if (!items) return nullptr;
    if (PyList_GET_SIZE(items.get()) == 1) value = Py_NewRef(PyList_GET_ITEM(items.get(), 0));
  }
  missing = !value;
  return value;
}

Py_ssize_t length_of(PyObject* self) {
  Thread* const thread = this_thread();
  if (!thread) return -1;
  if (!thread->in_transaction()) {
    const Ref number =
        Ref::steal(read_committed(*thread, list_of(self)->length.record, list_of(self)->length.value));
    return static_cast<Py_ssize_t>(to_length(number.get()));
  }
  std::size_t length = 0;
  if (!in_one_transaction(*thread, [&] { return read_length(*thread, self, length); })) return -1;
  return static_cast<Py_ssize_t>(length);
}

bool fill_new(PyObject* self, PyObject* const* items, std::size_t count) {
  const Ref number = Ref::steal(PyLong_FromSize_t(count));
  if (!number) return false;
  for (std::size_t index = 0; index < count; ++index) {
    Cell* const cell = list_of(self)->cells.make(index);
    if (!cell) return false;
    cell->value.store(Py_NewRef(items[index]), core::kRelease);
  }
  const Ref replaced = Ref::steal(exchange_value(list_of(self)->length, number.get()));
  return true;
}

}  // namespace stmpy
