// The rolling hash of the ladder: a polynomial over the bytes of a block modulo the prime 2^61 - 1 (Karp and Rabin,
// 1987), at a point that the holder's seed decides, then mixed so that any of its bits may be kept. Modulo 2^64
// Thue-Morse strings would collide at every point.
//
//   value = sum of (byte[i] + 1) * point^(length - 1 - i)   mod 2^61 - 1
//   hash  = ((value xor value >> 32) * 0x9e3779b97f4a7c15 mod 2^64) >> (64 - width)
//
// It is a hint within one transfer and never an identity: every chunk that is built from matches is proved by SHA-256.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace millrace {

class RollingHash {
 public:
  /// `block_bytes`: how many bytes the window of roll() has.
  RollingHash(std::uint64_t seed, std::uint32_t block_bytes);

  /// The value of a whole block, of any length: kStride bytes at a time, since a byte waits for the one before.
  std::uint64_t value(ByteView block) const {
    std::uint64_t value = 0;
    const std::size_t whole = block.size() - block.size() % kStride;
    for (std::size_t at = 0; at < whole; at += kStride) {
      Wide sum = product(value, powers_[kStride]);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kStride; ++i) sum += product(powers_[kStride - 1 - i], block[at + i] + 1u);
      value = reduce(fold(sum));
    }
    for (const Byte byte : block.subspan(whole)) value = reduce(product(value, point_) + byte + 1);
    return value;
  }
  /// Moves the window by one byte.
  std::uint64_t roll(std::uint64_t value, Byte out, Byte in) const {
    return reduce(product(value, point_) + in_[in] + out_[out]);
  }
  /// The `width` (1 to 61) bits of a value that travel.
  static std::uint64_t cut(std::uint64_t value, unsigned width) {
    return ((value ^ value >> 32) * 0x9e3779b97f4a7c15u) >> (64 - width);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
  static Wide product(std::uint64_t a, std::uint64_t b) {
    return static_cast<Wide>(a) * b;
  }
  /// Congruent, and a little over twice the prime at most for what is a little over its square at most.
  static std::uint64_t fold(Wide value) {
    return static_cast<std::uint64_t>(value & kPrime) + static_cast<std::uint64_t>(value >> 61);
  }
  static std::uint64_t reduce(Wide value) {
    const std::uint64_t folded = fold(value);
    return folded >= kPrime ? folded - kPrime : folded;
  }

  static constexpr std::size_t kStride = 8;
  std::uint64_t point_;
  std::array<std::uint64_t, kStride + 1> powers_;
  std::array<std::uint64_t, 256> in_;   ///< byte + 1
  std::array<std::uint64_t, 256> out_;  ///< minus (byte + 1) * point^block_bytes
};

}  // namespace millrace
