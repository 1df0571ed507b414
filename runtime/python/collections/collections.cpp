#include "runtime/python/collections/collections.h"

#include "runtime/python/collections/counter.h"
#include "runtime/python/collections/dict.h"
#include "runtime/python/collections/list.h"
#include "runtime/python/collections/queue.h"
#include "runtime/python/collections/set.h"

namespace stmpy {

int add_collections(PyObject* module) {
  return add_counter(module) < 0 || add_dict(module) < 0 || add_list(module) < 0 || add_queue(module) < 0 ||
                 add_set(module) < 0
             ? -1
             : 0;
}

}  // namespace stmpy
