// Deterministic data for tests.
#pragma once

#include "base/bytes.h"
#include "base/random.h"

namespace millrace::test {

inline Buffer random_bytes(std::size_t count, std::uint64_t seed) {
  SeededRandom random(seed);
  Buffer bytes(count);
  for (std::size_t at = 0; at < count; at += 8) {
    Byte raw[8];
    store_le(raw, random());
    std::memcpy(bytes.data() + at, raw, std::min<std::size_t>(8, count - at));
  }
  return bytes;
}

}  // namespace millrace::test
