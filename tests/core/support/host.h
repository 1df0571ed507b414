// A language for the core to run under: reference-counted objects with finalisers, signals, and a count of
// who is detached.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

namespace stmpy::core::test {

// Freed for real when its last reference is given back, so that the sanitizers see what comes too early.
struct Object {
  explicit Object(long its_number = 0) : number(its_number) { ++alive; }
  virtual ~Object() { --alive; }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  std::atomic<long> references{1};
  const long number;
  bool constant = true;  // where it stands in an attribute unchanged, so does what it means
  std::function<void()> finaliser;

  static std::atomic<long> alive;
};

void retain(Object* object);
void release(Object* object);

template <class T>
class Ref {
 public:
  Ref() = default;
  static Ref stolen(T* object) { return Ref(object); }
  static Ref borrowed(T* object) {
    if (object) retain(object);
    return Ref(object);
  }
  Ref(const Ref& other) : Ref(borrowed(other.object_)) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) release(object_);
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  T* give_away() { return std::exchange(object_, nullptr); }

 private:
  explicit Ref(T* object) : object_(object) {}
  T* object_ = nullptr;
};

template <class T, class... Arguments>
Ref<T> make(Arguments&&... arguments) {
  return Ref<T>::stolen(new T(std::forward<Arguments>(arguments)...));
}

// What the core is told at its next look for signals: empty, or the handlers of this thread; true to raise.
extern thread_local std::function<bool()> signal_handlers;
// What the core is told of whether other threads will ever run again.
extern thread_local bool alone;

// How many threads are detached right now.
extern std::atomic<int> detached;
// Around a wait, where a test needs more than the count (a lock that stands for a GIL).
extern std::function<void()> on_detach, on_attach;

void install_host();

}  // namespace stmpy::core::test
