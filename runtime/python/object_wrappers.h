// Keeps object.__setattr__, object.__delattr__ and object.__getattribute__ from bypassing the barriers.
#pragma once

namespace stmpy {

// -1 with an ImportError where this interpreter cannot be taught: a write must never be lost.
int redirect_object_wrappers();

}  // namespace stmpy
