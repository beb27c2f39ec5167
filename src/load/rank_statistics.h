// Two small samples compared by ranks: no assumption about how they are distributed, so an outlier counts as one value
// and not as its distance. Lehmann, "Nonparametrics", chapters 1 and 2.
#pragma once

#include <optional>
#include <vector>

namespace millrace {

/// Of a sample that is not empty.
double median(std::vector<double> sample);

struct Shift {
  double estimate = 0;  ///< Hodges-Lehmann: by how much `second` lies above `first`
  struct Interval {
    double low = 0;
    double high = 0;
  };
  /// 95 %, by inverting the Mann-Whitney test; nothing where the samples are too small for one (fewer than 4 and 4).
  std::optional<Interval> interval;
};
Shift shift_between(const std::vector<double>& first, const std::vector<double>& second);

}  // namespace millrace
