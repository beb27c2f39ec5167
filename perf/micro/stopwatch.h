// Times a piece of work: repeats it until a sample is long enough, takes several samples, keeps the median and the
// best.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace millrace::perf {

/// What one round of the work amounts to.
struct Work {
  std::uint64_t operations = 0;
  std::uint64_t bytes = 0;  ///< 0: the work is not counted in bytes
};

struct Timing {
  std::string name;
  std::string operation;  ///< what one operation is
  Work round;
  double median_seconds = 0;  ///< of one round
  double best_seconds = 0;

  double nanoseconds_each() const { return median_seconds * 1e9 / static_cast<double>(round.operations); }
  double gigabytes_a_second() const { return static_cast<double>(round.bytes) / median_seconds / 1e9; }
};

class Stopwatch {
 public:
  explicit Stopwatch(std::chrono::duration<double> sample) : sample_(sample) {}

  Timing time(std::string name, std::string operation, Work round, const std::function<void()>& work) const {
    work();  // caches and tables are warm then
    std::vector<double> samples;
    for (int i = 0; i < kSamples; ++i) {
      const auto began = Clock::now();
      std::uint64_t rounds = 0;
      std::chrono::duration<double> took{0};
      do {
        work();
        ++rounds;
        took = Clock::now() - began;
      } while (took < sample_);
      samples.push_back(took.count() / static_cast<double>(rounds));
    }
    std::sort(samples.begin(), samples.end());
    return {std::move(name), std::move(operation), round, samples[kSamples / 2], samples.front()};
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kSamples = 7;
  std::chrono::duration<double> sample_;
};

/// Keeps a result from being optimised away.
template <typename T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

}  // namespace millrace::perf
