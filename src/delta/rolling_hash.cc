#include "delta/rolling_hash.h"

namespace millrace {

RollingHash::RollingHash(std::uint64_t seed, std::uint32_t block_bytes) {
  // splitmix64 (Steele et al., 2014) spreads the seed; small points are avoided.
  std::uint64_t mixed = seed + 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  mixed ^= mixed >> 31;
  point_ = (std::uint64_t{1} << 32) + mixed % (kPrime - (std::uint64_t{1} << 33));

  powers_[0] = 1;
  for (std::size_t i = 1; i < powers_.size(); ++i) powers_[i] = reduce(product(powers_[i - 1], point_));

  std::uint64_t power = 1;  // point^block_bytes, by squaring
  std::uint64_t square = point_;
  for (std::uint32_t left = block_bytes; left > 0; left /= 2) {
    if (left % 2 != 0) power = reduce(product(power, square));
    square = reduce(product(square, square));
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    in_[byte] = byte + 1;
    out_[byte] = kPrime - reduce(product(power, byte + 1));
  }
}

}  // namespace millrace
