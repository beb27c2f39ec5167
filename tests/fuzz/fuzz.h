// What all fuzz targets share. A target is one file with two functions: run() takes an input and says with require()
// what must hold, seeds() gives inputs to begin with. With clang, libfuzzer.cc makes a fuzzer of it; in every other
// build replay.cc makes a test of it that runs the seeds and what lies in tests/fuzz/corpus.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "base/bytes.h"

namespace millrace::fuzz {

using AddSeed = std::function<void(const std::string& name, const Buffer& input)>;

/// Defined by each target. Must not keep anything from one call to the next.
void run(ByteView input);
void seeds(const AddSeed& add);

/// Ends the process where `held` is false: the fuzzer keeps the input, the test fails.
inline void require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "This does not hold: %s\n", what);
  std::abort();
}

/// Takes an input apart; past its end everything is zero or empty.
class Input {
 public:
  explicit Input(ByteView bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  Byte byte() { return number<Byte>(); }
  template <typename Integer>
  Integer number() {
    Byte raw[sizeof(Integer)] = {};
    const ByteView taken = bytes(sizeof raw);
    std::copy(taken.begin(), taken.end(), raw);
    return load_le<Integer>(raw);
  }
  /// At most so many.
  ByteView bytes(std::size_t count) {
    const ByteView taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// With its length in two bytes before it.
  ByteView piece() { return bytes(number<std::uint16_t>()); }
  ByteView rest() { return bytes(rest_.size()); }

 private:
  ByteView rest_;
};

/// For seeds: what Input::piece() takes.
inline void append_piece(Buffer& to, ByteView bytes) {
  append_le(to, static_cast<std::uint16_t>(bytes.size()));
  append(to, bytes);
}

}  // namespace millrace::fuzz
