// More stripes for more keys: with few of them a transaction that inserts many keys would hold them all, and
// conflict with everybody who finds any key absent.
//
// Whoever is about to use a stripe of the old ones finds it owned, or finds behind that that there are
// others.

#include <algorithm>
#include <new>

#include "runtime/python/collections/keyed_entries.h"

namespace stmpy {
namespace {

using core::Mode;

constexpr int kMoreBits = 2;

// The stripes of a transaction that nobody else uses, all of them owned until it lets go of those that it did
// not hold before.
class AllStripes {
 public:
  AllStripes(core::Descriptor& self, Stripes& stripes) : self_(self), stripes_(stripes) {}
  ~AllStripes() {
    for (const std::size_t index : taken_) {
      core::Record& record = stripes_.records[index];
      if (!record.release_if_alone(self_.thin_id)) record.release(self_, false);
    }
  }
  AllStripes(const AllStripes&) = delete;
  AllStripes& operator=(const AllStripes&) = delete;

  // False: somebody else uses one, or watches it. std::bad_alloc.
  bool own() {
    // Those that it holds stay raised, so it looks first.
    const auto may_be_owned = [&](const core::Record& record) {
      const std::uint64_t bits = record.bits(), holders = bits & core::Record::kHolders;
      return !(bits & (core::Record::kFat | core::Record::kWatched)) &&
             (holders == 0 || holders == core::Record::held_pattern(self_.thin_id));
    };
    if (!std::all_of(stripes_.records, stripes_.records + stripes_.count(), may_be_owned)) return false;
    taken_.reserve(stripes_.count());
    modes_.resize(stripes_.count());
    for (std::size_t index = 0; index < stripes_.count(); ++index) {
      core::Record& record = stripes_.records[index];
      if (record.take_if_free(self_.thin_id, Mode::Write)) {
        taken_.push_back(index);
        continue;
      }
      core::Refusal refusal;
      modes_[index] = record.held_by(self_);
      if (modes_[index] == Mode::None ||
          record.request(self_, Mode::Write, refusal) == core::Request::Refused)
        return false;
    }
    // Whoever waits for a change of one would not be told of what is inserted under another.
    return std::none_of(stripes_.records, stripes_.records + stripes_.count(),
                        [](const core::Record& record) { return record.is_watched(); });
  }
  // In which the transaction held it before.
  Mode mode(std::size_t index) const { return modes_[index]; }

 private:
  core::Descriptor& self_;
  Stripes& stripes_;
  std::vector<std::size_t> taken_;
  std::vector<Mode> modes_;
};

}  // namespace

void add_stripes(Thread& thread, PyObject* self) {
  core::Descriptor& descriptor = thread.descriptor;
  if (descriptor.thin_id == 0 || descriptor.state().state() != core::State::Active) return;
  try {
    EntryTable& table = *keyed(self).table;
    Stripes& old = table.stripes();
    AllStripes all(descriptor, old);
    if (!all.own() || &old != &table.stripes()) return;
    Stripes& made = table.make_stripes(old.bits + kMoreBits);
    // What it holds it goes on holding; nobody else knows the new ones.
    for (std::size_t index = 0; index < made.count(); ++index) {
      const Mode mode = all.mode(index >> kMoreBits);
      if (mode == Mode::None) continue;
      descriptor.accesses.reserve();
      made.records[index].take_if_free(descriptor.thin_id, mode);
      if (core::register_access(descriptor, made.records[index], self) == core::Outcome::Registered)
        Py_INCREF(self);
    }
    table.replace_stripes(made);
  } catch (const std::bad_alloc&) {
    // There are as many as before.
  }
}

}  // namespace stmpy
