// What a dict and a set have in common: keys, each with a value, in transactions. A set's values are None.
//
// A function that returns Done is called in a transaction, and again if it says so. It runs __eq__ of keys,
// which may do anything, and then changes what it is asked to at once or not at all.
#pragma once

#include <vector>

#include "runtime/python/collections/collection.h"
#include "runtime/python/collections/entry_table.h"
#include "runtime/python/collections/tally.h"

namespace stmpy {

struct Keyed {
  Shell shell;
  EntryTable* table;  // null in an object that was never finished
  Tally size;
};
inline Keyed& keyed(PyObject* self) { return *reinterpret_cast<Keyed*>(self); }

struct Item {
  Ref key, value;
  Entry::Place place{};
  const Entry* entry = nullptr;  // lives as long as the object
};

// A key, and its hash: __hash__ runs once, before everything else. False with an exception.
struct Key {
  PyObject* object;
  Py_hash_t hash;
  [[nodiscard]] bool hashed() const { return hash != -1; }
};
inline Key key_of(PyObject* object) { return {object, PyObject_Hash(object)}; }

// --- in a transaction

// The value, or null.
Done get(Thread& thread, PyObject* self, const Key& key, Ref& value);
// Sets the value. `keep`: not where the key is there, and `present` is what it has then, else null.
Done put(Thread& thread, PyObject* self, const Key& key, PyObject* value, bool keep, Ref& present);
// Takes the key away; both of `taken` are null where it is not there.
Done take(Thread& thread, PyObject* self, const Key& key, Item& taken);
// Everything in its order, which nobody else can change any more.
Done get_all(Thread& thread, PyObject* self, std::vector<Item>& items);
Done take_all(Thread& thread, PyObject* self, std::vector<Item>& items);
// The last one, or one that nobody else uses if there is such a one; null where there is none.
Done take_last(Thread& thread, PyObject* self, Item& taken);
Done take_any(Thread& thread, PyObject* self, Item& taken);

// Until it has not to be called again.
template <class Step>
Done until_done(Step step) {
  Done done;
  do done = step();
  while (done == Done::Again);
  return done;
}

// --- in the transaction of the thread, or outside of one

// The value, or null; outside the committed one, at once. False with an exception. std::bad_alloc.
bool look_up(Thread& thread, PyObject* self, const Key& key, Ref& value);
// How many keys there are; -1 with an exception.
Py_ssize_t size_of(PyObject* self);
// All of them, as of one moment. False with an exception.
bool items_of(PyObject* self, std::vector<Item>& items);

// --- life and death

PyObject* new_keyed(PyTypeObject* type);
int traverse_keyed(PyObject* self, visitproc visit, void* arg);
int clear_keyed(PyObject* self);
void dealloc_keyed(PyObject* self);
// What access_map() calls their pairs: [key], "len", and "absent keys".
Ref name_in_keyed(PyObject* self, const core::Record* record);
bool is_inner_slot(PyObject* self, const core::Slot* slot);

}  // namespace stmpy
