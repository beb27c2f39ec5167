// How many things took how long, in the buckets of a Prometheus histogram.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace {

struct DurationCounts {
  /// Upper bounds in seconds; one more bucket is for all that is longer.
  static constexpr std::array<double, 16> kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                  0.25,   0.5,   1,      2.5,   5,    10,    30,   60};
  std::array<std::uint64_t, kBounds.size() + 1> buckets{};
  std::uint64_t count = 0;
  double seconds = 0;  ///< of all together

  void add(const DurationCounts& other);
  /// What came since `before`.
  DurationCounts since(const DurationCounts& before) const;
  /// By linear interpolation in its bucket, as Prometheus' histogram_quantile() does it. 0 without values.
  double quantile(double which) const;
};

/// Any thread records and reads, without a lock.
class DurationTally {
 public:
  void record(std::chrono::nanoseconds duration);
  DurationCounts read() const;

 private:
  std::array<std::atomic<std::uint64_t>, DurationCounts::kBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> nanoseconds_{0};
};

/// Records how long it lived.
class DurationScope {
 public:
  explicit DurationScope(DurationTally& tally) : tally_(tally) {}
  DurationScope(const DurationScope&) = delete;
  DurationScope& operator=(const DurationScope&) = delete;
  ~DurationScope() { tally_.record(std::chrono::steady_clock::now() - began_); }

 private:
  DurationTally& tally_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace millrace
