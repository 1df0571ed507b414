#include "runtime/python/collections/set_operations.h"

#include <algorithm>

namespace stmpy {
namespace {

bool elements_of(PyObject* self, std::vector<Element>& elements) {
  std::vector<Item> items;
  if (!items_of(self, items)) return false;
  for (Item& item : items)
    elements.push_back({std::move(item.key), item.entry->hash.load(std::memory_order_relaxed)});
  return true;
}

// Keeps the elements that are, or are not, in a plain set. False with an exception.
bool filter(std::vector<Element>& elements, PyObject* set, bool those_in) {
  std::vector<Element> kept;
  for (Element& element : elements) {
    const int found = PySet_Contains(set, element.object.get());
    if (found < 0) return false;
    if ((found > 0) == those_in) kept.push_back(std::move(element));
  }
  std::swap(elements, kept);
  return true;
}

Ref set_of(const std::vector<Element>& elements) {
  Ref set = Ref::steal(PySet_New(nullptr));
  for (const Element& element : elements) {
    if (!set || PySet_Add(set.get(), element.object.get()) < 0) return Ref();
  }
  return set;
}

// Puts the two together. False with an exception.
bool combine(std::vector<Element>& elements, Combine how, PyObject* other) {
  if (how == Combine::Intersection || how == Combine::Difference)
    return filter(elements, other, how == Combine::Intersection);
  std::vector<Element> more;
  if (!collect_elements(other, more)) return false;
  const Ref mine = set_of(elements);
  if (!mine || !filter(more, mine.get(), false)) return false;
  if (how == Combine::SymmetricDifference && !filter(elements, other, false)) return false;
  std::move(more.begin(), more.end(), std::back_inserter(elements));
  return true;
}

bool operands_of(PyObject* const* others, Py_ssize_t count, std::vector<Operand>& operands) {
  operands.resize(static_cast<std::size_t>(count));
  for (Py_ssize_t index = 0; index < count; ++index) {
    if (!operands[static_cast<std::size_t>(index)].take(others[index])) return false;
  }
  return true;
}

// The step of combine_in_place() with one operand, in a transaction.
Done change(Thread& thread, PyObject* self, Combine how, PyObject* other) {
  const auto take_away = [&](const std::vector<Element>& elements) {
    for (const Element& element : elements) {
      Item taken;
      const Key key{element.object.get(), element.hash};
      if (const Done done = until_done([&] { return take(thread, self, key, taken); }); done != Done::Yes)
        return done;
    }
    return Done::Yes;
  };
  std::vector<Element> elements;
  if (how == Combine::Intersection) {
    if (!elements_of(self, elements) || !filter(elements, other, false)) return Done::Failed;
    return take_away(elements);
  }
  if (!collect_elements(other, elements)) return Done::Failed;
  if (how == Combine::Union) return add_elements(thread, self, elements);
  if (how == Combine::Difference) return take_away(elements);
  std::vector<Element> absent;
  for (Element& element : elements) {
    Item taken;
    const Key key{element.object.get(), element.hash};
    if (const Done done = until_done([&] { return take(thread, self, key, taken); }); done != Done::Yes)
      return done;
    if (!taken.key) absent.push_back(std::move(element));
  }
  return add_elements(thread, self, absent);
}

}  // namespace

PyObject* combined(PyObject* self, Combine how, PyObject* const* others, Py_ssize_t count) {
  std::vector<Operand> operands;
  std::vector<Element> elements;
  if (!operands_of(others, count, operands)) return nullptr;
  const bool done = together([&] {
    elements.clear();
    if (!elements_of(self, elements)) return false;
    return std::all_of(operands.begin(), operands.end(), [&](const Operand& operand) {
      const bool in_order = how == Combine::Union;
      const Ref other = in_order ? operand.now() : operand.now_as_set();
      return other && combine(elements, how, other.get());
    });
  });
  return done ? new_set(elements) : nullptr;
}

bool combine_in_place(PyObject* self, Combine how, PyObject* const* others, Py_ssize_t count) {
  std::vector<Operand> operands;
  Thread* const thread = this_thread();
  if (!thread || !operands_of(others, count, operands)) return false;
  return in_writing_transaction(*thread, self, [&] {
    for (const Operand& operand : operands) {
      const bool in_order = how == Combine::Union || how == Combine::Difference;
      const Ref other = in_order ? operand.now() : operand.now_as_set();
      const Done done = other ? change(*thread, self, how, other.get()) : Done::Failed;
      if (done != Done::Yes) return done;
    }
    return Done::Yes;
  });
}

}  // namespace stmpy
