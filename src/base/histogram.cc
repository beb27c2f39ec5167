#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace millrace {

namespace {

constexpr unsigned kSubBucketBits = 11;
constexpr std::uint64_t kHalf = std::uint64_t{1} << (kSubBucketBits - 1);
/// So many values must be expected above a quantile before it is told.
constexpr double kLeastAbove = 1;

/// The first bucket has sub-buckets of width 1, every further one the upper half only: the lower is the one before it.
std::size_t index_of(std::uint64_t value) {
  const auto bits = static_cast<unsigned>(std::bit_width(value));
  const unsigned bucket = bits > kSubBucketBits ? bits - kSubBucketBits : 0;
  return static_cast<std::size_t>(bucket * kHalf + (value >> bucket));
}

std::uint64_t highest_equivalent(std::size_t index) {
  if (index < 2 * kHalf) return index;
  const std::uint64_t bucket = index / kHalf - 1;
  return ((index - bucket * kHalf + 1) << bucket) - 1;
}

}  // namespace

void Histogram::record(std::uint64_t value) {
  value = std::min(value, kHighestTrackable);
  const std::size_t index = index_of(value);
  if (index >= counts_.size()) counts_.resize(index + 1);
  ++counts_[index];
  ++count_;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

void Histogram::merge(const Histogram& other) {
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::uint64_t Histogram::value_at(double quantile) const {
  const double wanted = std::ceil(quantile * static_cast<double>(count_));
  const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(highest_equivalent(i), max_);
  }
  return max_;
}

std::optional<std::uint64_t> Histogram::carried_value_at(double quantile) const {
  constexpr double kRounding = 1e-9;
  if (static_cast<double>(count_) * (1 - quantile) + kRounding < kLeastAbove) return std::nullopt;
  return value_at(quantile);
}

std::vector<Histogram::Cell> Histogram::cells() const {
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) cells.push_back({highest_equivalent(i), counts_[i]});
  }
  return cells;
}

}  // namespace millrace
