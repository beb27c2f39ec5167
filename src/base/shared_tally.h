// A number that many threads raise at once, which have no loop of their own to count on: each thread has its own place,
// on a cache line of its own, so that none waits for another.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace millrace {

/// Any thread.
class SharedTally {
 public:
  void add(std::uint64_t more) { places_[place()].value.fetch_add(more, std::memory_order_relaxed); }
  std::uint64_t value() const {
    std::uint64_t sum = 0;
    for (const Place& one : places_) sum += one.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t kPlaces = 16;  ///< threads past these share
  struct alignas(64) Place {
    std::atomic<std::uint64_t> value{0};
  };
  static std::size_t place() {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t mine = threads.fetch_add(1, std::memory_order_relaxed) % kPlaces;
    return mine;
  }
  std::array<Place, kPlaces> places_;
};

}  // namespace millrace
