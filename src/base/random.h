// Randomness is handed in: the pure layers never make their own, so a test can replay them from a seed.
#pragma once

#include <cstdint>
#include <functional>

namespace millrace {

/// Gives 64 random bits at each call. Real programs pass a cryptographic one, tests a seeded one.
using Random = std::function<std::uint64_t()>;

/// SplitMix64 (Steele, Lea, Flood, 2014): a fixed sequence for each seed. Not for secrets.
class SeededRandom {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Uniform enough in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) { return (*this)() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace millrace
