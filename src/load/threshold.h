// What a run must reach: "p99<200ms,errors<0.1%,rate>500".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millrace {

struct Threshold {
  enum class Metric : std::uint8_t {
    kP50,
    kP90,
    kP99,
    kP999,
    kMax,
    kMean,
    kErrors,
    kErrorShare,
    kLost,
    kRate,
    kThroughput
  };
  enum class Relation : std::uint8_t { kBelow, kAbove };
  Metric metric = Metric::kP99;
  Relation relation = Relation::kBelow;
  double limit = 0;  ///< seconds, a count, a share of 1, a rate a second or bytes a second
  std::string text;  ///< as it was written
};

/// Latencies: p50, p90, p99, p999, max, mean with a duration; errors with a count or, with %, a share of all transfers;
/// lost with a count; rate in transfers a second; throughput in bytes a second (10MiB). Errors: kUsage.
Result<std::vector<Threshold>> parse_thresholds(std::string_view text);

}  // namespace millrace
