#include "runtime/python/module_bytes.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace stmpy {
namespace {

constexpr std::string_view kName = "stmpy";
constexpr std::size_t kBlock = 64;

// Compares three of the name's letters at every place of a block at once: a loop without branches, which the
// compiler turns into vector instructions. `bytes.find` takes nine times as long, memmem three times.
bool may_be_in_block(const char* text) {
  unsigned char hit = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const auto first = static_cast<unsigned char>(text[i] == kName[0]);
    const auto third = static_cast<unsigned char>(text[i + 2] == kName[2]);
    const auto last = static_cast<unsigned char>(text[i + 4] == kName[4]);
    hit = static_cast<unsigned char>(hit | (first & third & last));
  }
  return hit != 0;
}

bool contains_name(std::string_view text) {
  constexpr std::size_t kWindow = kBlock + kName.size() - 1;
  std::size_t start = 0;
  for (; start + kWindow <= text.size(); start += kBlock) {
    if (may_be_in_block(text.data() + start) &&
        text.substr(start, kWindow).find(kName) != std::string_view::npos)
      return true;
  }
  return text.substr(start).find(kName) != std::string_view::npos;
}

// Against damage, not against malice. Every step is a bijection of what the lane holds and of what it takes
// in, so that no change of a single word goes unnoticed; the lanes do not wait for each other.
class Checksum {
 public:
  explicit Checksum(std::string_view data) {
    const std::size_t whole = data.size() / kStripe * kStripe;
    for (std::size_t start = 0; start < whole; start += kStripe) take(data.data() + start);
    std::array<char, kStripe> rest{};
    data.copy(rest.data(), kStripe, whole);
    take(rest.data());
    sum_ = data.size();
    for (const std::uint64_t lane : lanes_) sum_ = step(sum_, lane);
  }

  std::uint64_t value() const { return sum_; }

 private:
  static constexpr std::size_t kStripe = 64;

  static std::uint64_t step(std::uint64_t held, std::uint64_t word) {
    held = (held ^ word) * 0x9E3779B97F4A7C15u;
    return held ^ held >> 32;
  }

  void take(const char* stripe) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      std::uint64_t word;
      std::memcpy(&word, stripe + i * sizeof word, sizeof word);
      lanes_[i] = step(lanes_[i], word);
    }
  }

  std::array<std::uint64_t, kStripe / sizeof(std::uint64_t)> lanes_{};
  std::uint64_t sum_ = 0;
};

PyObject* mentions_stmpy(PyObject*, PyObject* data) {
  char* text = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(data, &text, &size) < 0) return nullptr;
  return PyBool_FromLong(contains_name({text, static_cast<std::size_t>(size)}));
}

PyObject* checksum(PyObject*, PyObject* data) {
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return nullptr;
  const Checksum sum({static_cast<const char*>(view.buf), static_cast<std::size_t>(view.len)});
  PyBuffer_Release(&view);
  return PyLong_FromUnsignedLongLong(sum.value());
}

}  // namespace

PyMethodDef module_bytes_methods[] = {
    {"mentions_stmpy", mentions_stmpy, METH_O, "Whether these bytes hold the name of stmpy."},
    {"checksum", checksum, METH_O, "A number that other bytes hardly have."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
