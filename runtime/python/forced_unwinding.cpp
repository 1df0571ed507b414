// A thread that the interpreter does not let run any more, because it is shutting down, never comes back from
// taking the GIL. From CPython 3.14 on it sleeps there for ever. Before, it is ended there by pthread_exit(),
// which unwinds its stack: destructors of ours would give back references without the GIL, beside the main
// thread, and code of the user's that a destructor has called would end the process (std::terminate). So such
// a thread sleeps for ever too, at the first frame of ours that has something to unwind.
//
// The linker puts this function in the place of C++'s personality routine (--wrap), which the unwinder asks
// at each frame what is to be done there.

#include <unistd.h>
#include <unwind.h>

extern "C" {

_Unwind_Reason_Code __real___gxx_personality_v0(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class exception_class,
                                                _Unwind_Exception* exception, _Unwind_Context* context);

_Unwind_Reason_Code __wrap___gxx_personality_v0(int version, _Unwind_Action actions,
                                                _Unwind_Exception_Class exception_class,
                                                _Unwind_Exception* exception, _Unwind_Context* context) {
  while (actions & _UA_FORCE_UNWIND) pause();
  return __real___gxx_personality_v0(version, actions, exception_class, exception, context);
}
}
