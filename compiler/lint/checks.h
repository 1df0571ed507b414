// The rules, each one function. lint.cpp says which nodes each is shown.

#pragma once

#include "lint/check.h"

namespace stmpy::compiler {

// outside_world.cpp
void check_input_output(const Place& place);
void check_waiting(const Place& place);
void check_locking(const Place& place);
void check_with_lock(const Place& place);
void check_starting(const Place& place);
void check_random(const Place& place);
void check_clock(const Place& place);
void check_process_state(const Place& place);

// containers.cpp
void check_container_methods(const Place& place);
void check_container_targets(const Place& place);

// names.cpp
void check_global_targets(const Place& place);
void check_class_targets(const Place& place);
void check_plain_targets(const Place& place);

// handlers.cpp
void check_abort_handler(const Place& place);
void check_suppressed_abort(const Place& place);
void check_exit_from_finally(const Place& place);

// iterators.cpp
void check_shared_iterator(const Place& place);
void check_iterated_shared_iterator(const Place& place);
void check_lazy_result(const Place& place);

// coroutines.cpp
void check_coroutine_call(const Place& place);

// whole_function.cpp
void check_inner_import(const Place& place);
void check_memoised(const Place& place);

}  // namespace stmpy::compiler
