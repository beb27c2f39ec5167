#include "base/durations.h"

#include <algorithm>

namespace millrace {

void DurationCounts::add(const DurationCounts& other) {
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
  count += other.count;
  seconds += other.seconds;
}

DurationCounts DurationCounts::since(const DurationCounts& before) const {
  DurationCounts out = *this;
  for (std::size_t i = 0; i < buckets.size(); ++i) out.buckets[i] -= before.buckets[i];
  out.count -= before.count;
  out.seconds -= before.seconds;
  return out;
}

double DurationCounts::quantile(double which) const {
  if (count == 0) return 0;
  const double wanted = which * static_cast<double>(count);
  double below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (here > 0 && below + here >= wanted) {
      const double from = i == 0 ? 0 : kBounds[i - 1];
      return from + (kBounds[i] - from) * (wanted - below) / here;
    }
    below += here;
  }
  return kBounds.back();
}

void DurationTally::record(std::chrono::nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  const auto bound = std::lower_bound(DurationCounts::kBounds.begin(), DurationCounts::kBounds.end(), seconds);
  buckets_[static_cast<std::size_t>(bound - DurationCounts::kBounds.begin())].fetch_add(1, std::memory_order_relaxed);
  nanoseconds_.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
}

DurationCounts DurationTally::read() const {
  DurationCounts out;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    out.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    out.count += out.buckets[i];
  }
  out.seconds = static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
  return out;
}

}  // namespace millrace
