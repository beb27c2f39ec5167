// How long things took, in constant memory and with a constant relative error: a log-linear histogram in the manner of
// Gil Tene's HdrHistogram. Buckets double in width; each is cut into the same number of sub-buckets, so that a value is
// known to one part in 1,024. Histograms of several runs or operations merge without loss.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace millrace {

class Histogram {
 public:
  /// Values from here on count as this one; in microseconds 19 hours.
  static constexpr std::uint64_t kHighestTrackable = (std::uint64_t{1} << 36) - 1;

  void record(std::uint64_t value);
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  /// 0 without values.
  std::uint64_t max() const { return max_; }
  double mean() const;
  /// The least value that at least `quantile` of all values do not exceed, at most one part in 1,024 too high. 0
  /// without values.
  std::uint64_t value_at(double quantile) const;
  /// As value_at, where enough values stand above it that it is more than the luck of a single one; else nothing.
  std::optional<std::uint64_t> carried_value_at(double quantile) const;

  /// A sub-bucket that is not empty: the highest value that counts into it.
  struct Cell {
    std::uint64_t highest_equivalent;
    std::uint64_t count;
    bool operator==(const Cell&) const = default;
  };
  std::vector<Cell> cells() const;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace millrace
