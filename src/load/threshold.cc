#include "load/threshold.h"

#include <optional>

#include "base/units.h"
#include "load/load_options.h"
#include "load/words.h"

namespace millrace {

namespace {

enum class Unit : std::uint8_t { kDuration, kErrors, kNumber, kSize };

struct MetricInfo {
  const char* name;
  Threshold::Metric metric;
  Unit unit;
};

constexpr MetricInfo kMetrics[] = {
    {"p50", Threshold::Metric::kP50, Unit::kDuration},     {"p90", Threshold::Metric::kP90, Unit::kDuration},
    {"p99", Threshold::Metric::kP99, Unit::kDuration},     {"p999", Threshold::Metric::kP999, Unit::kDuration},
    {"max", Threshold::Metric::kMax, Unit::kDuration},     {"mean", Threshold::Metric::kMean, Unit::kDuration},
    {"errors", Threshold::Metric::kErrors, Unit::kErrors}, {"lost", Threshold::Metric::kLost, Unit::kNumber},
    {"rate", Threshold::Metric::kRate, Unit::kNumber},     {"throughput", Threshold::Metric::kThroughput, Unit::kSize},
};

Result<Threshold> parse_one(std::string_view text) {
  const auto refuse = [text] {
    return fail(Code::kUsage, "'" + std::string(text) +
                                  "' is not a threshold; write for example p99<200ms, errors<0.1%, lost<1, rate>500 or "
                                  "throughput>10MiB.");
  };
  const auto at = text.find_first_of("<>");
  if (at == std::string_view::npos) return refuse();
  std::string_view value = text.substr(at + 1);
  for (const MetricInfo& info : kMetrics) {
    if (text.substr(0, at) != info.name) continue;
    Threshold threshold;
    threshold.metric = info.metric;
    threshold.relation = text[at] == '<' ? Threshold::Relation::kBelow : Threshold::Relation::kAbove;
    threshold.text = text;
    if (info.unit == Unit::kDuration) {
      const auto duration = parse_duration(value);
      if (!duration) return refuse();
      threshold.limit = duration->count();
      return threshold;
    }
    if (info.unit == Unit::kSize) {
      const auto size = parse_size(value);
      if (!size) return refuse();
      threshold.limit = static_cast<double>(*size);
      return threshold;
    }
    const bool share = info.unit == Unit::kErrors && value.ends_with('%');
    if (share) {
      value.remove_suffix(1);
      threshold.metric = Threshold::Metric::kErrorShare;
    }
    const auto number = parse_number(value);
    if (!number) return refuse();
    threshold.limit = share ? *number / 100 : *number;
    return threshold;
  }
  return refuse();
}

}  // namespace

Result<std::vector<Threshold>> parse_thresholds(std::string_view text) {
  std::vector<Threshold> thresholds;
  for (const std::string_view word : split_words(text)) {
    MILLRACE_ASSIGN(Threshold threshold, parse_one(word));
    thresholds.push_back(std::move(threshold));
  }
  return thresholds;
}

}  // namespace millrace
