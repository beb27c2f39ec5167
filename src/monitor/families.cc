#include "monitor/families.h"

#include <prometheus/text_serializer.h>

#include <limits>

namespace millrace {

prometheus::ClientMetric& Families::add(const std::string& name, const std::string& help, prometheus::MetricType type,
                                        const MetricLabels& labels) {
  if (families_.empty() || families_.back().name != name) families_.push_back({name, help, type, {}});
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  for (const auto& [label, value] : labels) metric.label.push_back({label, value});
  return metric;
}

void Families::counter(const std::string& name, const std::string& help, double value, const MetricLabels& labels) {
  add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

void Families::gauge(const std::string& name, const std::string& help, double value, const MetricLabels& labels) {
  add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void Families::histogram(const std::string& name, const std::string& help, const DurationCounts& durations,
                         const MetricLabels& labels) {
  auto& histogram = add(name, help, prometheus::MetricType::Histogram, labels).histogram;
  histogram.sample_count = durations.count;
  histogram.sample_sum = durations.seconds;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < durations.buckets.size(); ++i) {
    below += durations.buckets[i];
    const double bound =
        i < DurationCounts::kBounds.size() ? DurationCounts::kBounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({below, bound});
  }
}

std::string Families::text() const {
  return prometheus::TextSerializer().Serialize(families_);
}

std::vector<std::pair<std::string, double>> Families::values() const {
  std::vector<std::pair<std::string, double>> out;
  for (const prometheus::MetricFamily& family : families_) {
    if (family.type == prometheus::MetricType::Histogram) continue;
    const bool is_counter = family.type == prometheus::MetricType::Counter;
    double sum = 0;
    bool has_labels = false;
    for (const prometheus::ClientMetric& metric : family.metric) {
      const double value = is_counter ? metric.counter.value : metric.gauge.value;
      sum += value;
      if (metric.label.empty()) continue;
      has_labels = true;
      std::string name = family.name + "{";
      for (const auto& label : metric.label) {
        if (name.back() != '{') name += ',';
        name += label.name + "=\"" + label.value + '"';
      }
      out.emplace_back(name + "}", value);
    }
    if (!has_labels || family.metric.size() > 1) out.emplace_back(family.name, sum);
  }
  return out;
}

}  // namespace millrace
