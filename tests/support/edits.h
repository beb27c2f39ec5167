// Random text and random edits for property tests.
#pragma once

#include <algorithm>

#include "base/random.h"
#include "support/bytes.h"

namespace millrace::test {

/// Lines of words, which compress to under half.
inline Buffer random_text(std::size_t bytes, std::uint64_t seed) {
  static constexpr std::string_view kWords[] = {"mill",   "race", "wheel", "water", "stone",  "grain", "flour",
                                                "sluice", "weir", "axle",  "0x1f",  "return", "const"};
  SeededRandom random(seed);
  Buffer out;
  while (out.size() < bytes) {
    append(out, as_bytes(kWords[random.below(std::size(kWords))]));
    out.push_back(random.below(9) == 0 ? '\n' : ' ');
  }
  out.resize(bytes);
  return out;
}

/// Up to five inserts, deletes, overwrites, moves and zero runs.
inline Buffer edited(const Buffer& data, SeededRandom& random) {
  Buffer out = data;
  for (std::uint64_t edits = random.below(6); edits > 0; --edits) {
    const auto at = static_cast<std::ptrdiff_t>(random.below(out.size() + 1));
    const Buffer piece = random_bytes(random.below(random.below(2) == 0 ? 40 : 40'000), random());
    const auto length = static_cast<std::ptrdiff_t>(piece.size());
    const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(out.size()) - at;
    switch (random.below(5)) {
      case 0:
        out.insert(out.begin() + at, piece.begin(), piece.end());
        break;
      case 1:
        out.erase(out.begin() + at, out.begin() + at + std::min(left, length));
        break;
      case 2:
        std::copy_n(piece.begin(), std::min(length, left), out.begin() + at);
        break;
      case 3:
        std::rotate(out.begin(), out.begin() + at, out.end());
        break;
      default:
        out.insert(out.begin() + at, 200'000, Byte{0});
        break;
    }
  }
  return out;
}

}  // namespace millrace::test
