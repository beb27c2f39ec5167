#include "delta/rolling_hash.h"

namespace millrace {

RollingHash::RollingHash(std::uint64_t seed, std::uint32_t block_bytes) {
  // splitmix64 (Steele et al., 2014) spreads the seed; small points are avoided.
  std::uint64_t mixed = seed + 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
  mixed ^= mixed >> 31;
  point_ = (std::uint64_t{1} << 32) + mixed % (kPrime - (std::uint64_t{1} << 33));

  std::uint64_t power = 1;
  for (std::uint32_t i = 0; i < block_bytes; ++i) power = reduce(product(power, point_));
  for (std::size_t byte = 0; byte < 256; ++byte) {
    in_[byte] = byte + 1;
    out_[byte] = kPrime - reduce(product(power, byte + 1));
  }
}

}  // namespace millrace
