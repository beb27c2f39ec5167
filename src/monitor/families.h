// Metrics by name, as Prometheus knows them. Filled from a snapshot; written out as text for Prometheus, or as plain
// numbers for the dashboard: both from the same values.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <utility>
#include <vector>

#include "base/durations.h"

namespace millrace {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Families {
 public:
  /// Metrics of one name must follow each other.
  void counter(const std::string& name, const std::string& help, double value, const MetricLabels& labels = {});
  void gauge(const std::string& name, const std::string& help, double value, const MetricLabels& labels = {});
  void histogram(const std::string& name, const std::string& help, const DurationCounts& durations,
                 const MetricLabels& labels = {});

  /// The text format, version 0.0.4.
  std::string text() const;
  /// Counters and gauges under the names that they have in text(), labels included, and the sum under the bare name
  /// where there are labels.
  std::vector<std::pair<std::string, double>> values() const;

 private:
  prometheus::ClientMetric& add(const std::string& name, const std::string& help, prometheus::MetricType type,
                                const MetricLabels& labels);
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace millrace
