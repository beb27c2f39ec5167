#include "monitor/history.h"

#include <algorithm>
#include <bit>

namespace millrace {

namespace {

constexpr std::array<HistoryStep, kHistorySteps> kSteps{HistoryStep::kSecond, HistoryStep::kMinute, HistoryStep::kHour};
constexpr std::array<std::int64_t, kHistorySteps> kSeconds{1, 60, 3600};
constexpr std::array<std::size_t, kHistorySteps> kMost{300, 1440, 90 * 24};

constexpr std::array<double HistoryPoint::*, 11> kFields{
    &HistoryPoint::seconds,       &HistoryPoint::in_bytes,      &HistoryPoint::out_bytes,   &HistoryPoint::saved_bytes,
    &HistoryPoint::requests,      &HistoryPoint::errors,        &HistoryPoint::connections, &HistoryPoint::transfers,
    &HistoryPoint::latency_p50_s, &HistoryPoint::latency_p99_s, &HistoryPoint::lag_p99_s};

std::size_t index_of(HistoryStep step) {
  return static_cast<std::size_t>(step);
}

/// Where the step ends that the moment lies in.
std::int64_t end_of_step(std::int64_t at_s, HistoryStep step) {
  const std::int64_t length = seconds_of(step);
  return (at_s + length - 1) / length * length;
}

/// A counter that went back belongs to a clock that did: as if nothing had happened.
double grown(std::uint64_t now, std::uint64_t before) {
  return now >= before ? static_cast<double>(now - before) : 0;
}

}  // namespace

std::int64_t seconds_of(HistoryStep step) {
  return kSeconds[index_of(step)];
}

std::size_t most_points(HistoryStep step) {
  return kMost[index_of(step)];
}

Buffer encode(const HistoryPoint& point) {
  Buffer out;
  append_le(out, static_cast<std::uint64_t>(point.end_s));
  for (const auto field : kFields) append_le(out, std::bit_cast<std::uint64_t>(point.*field));
  return out;
}

std::optional<HistoryPoint> decode_history_point(ByteView bytes) {
  if (bytes.size() != (kFields.size() + 1) * sizeof(std::uint64_t)) return std::nullopt;
  HistoryPoint point;
  point.end_s = static_cast<std::int64_t>(load_le<std::uint64_t>(bytes.data()));
  for (std::size_t i = 0; i < kFields.size(); ++i)
    point.*kFields[i] = std::bit_cast<double>(load_le<std::uint64_t>(bytes.data() + (i + 1) * sizeof(std::uint64_t)));
  return point;
}

void History::restore(HistoryStep step, std::vector<HistoryPoint> points) {
  const std::lock_guard lock(mutex_);
  for (const HistoryPoint& point : points) points_[index_of(step)][point.end_s] = point;
}

HistoryPoint History::close(const Open& open) const {
  HistoryPoint out;
  const DurationCounts durations = last_->durations.since(open.before.durations);
  const auto samples = static_cast<double>(std::max<std::uint64_t>(open.samples, 1));
  out.end_s = open.end_s;
  out.seconds = static_cast<double>(std::max<std::int64_t>(last_->at_s - open.before.at_s, 0));
  out.in_bytes = grown(last_->in_bytes, open.before.in_bytes);
  out.out_bytes = grown(last_->out_bytes, open.before.out_bytes);
  out.saved_bytes = grown(last_->saved_bytes, open.before.saved_bytes);
  out.requests = grown(last_->requests, open.before.requests);
  out.errors = grown(last_->errors, open.before.errors);
  out.connections = open.connections / samples;
  out.transfers = open.transfers / samples;
  out.latency_p50_s = durations.quantile(0.5);
  out.latency_p99_s = durations.quantile(0.99);
  out.lag_p99_s = open.lag;
  return out;
}

void History::add(const HistorySample& sample) {
  std::vector<std::pair<HistoryStep, HistoryPoint>> ended;
  {
    const std::lock_guard lock(mutex_);
    // A clock that was set back, or forward by a day: what is open belongs to another time.
    if (last_ && (sample.at_s <= last_->at_s || sample.at_s - last_->at_s > seconds_of(HistoryStep::kHour))) {
      open_ = {};
      if (sample.at_s <= last_->at_s)
        for (auto& points : points_) points.erase(points.upper_bound(sample.at_s), points.end());
      last_ = sample;
      return;
    }
    const HistorySample before = last_.value_or(sample);
    const bool is_first = !last_;
    last_ = sample;
    if (is_first) return;
    for (const HistoryStep step : kSteps) {
      auto& open = open_[index_of(step)];
      if (!open) open = Open{end_of_step(sample.at_s, step), before, 0, 0, 0, 0};
      open->connections += static_cast<double>(sample.connections);
      open->transfers += static_cast<double>(sample.transfers);
      open->lag = std::max(open->lag, sample.lag_p99_s);
      ++open->samples;
      if (sample.at_s < open->end_s) continue;
      auto& points = points_[index_of(step)];
      const HistoryPoint point = close(*open);
      points[point.end_s] = point;
      while (points.size() > most_points(step)) points.erase(points.begin());
      open.reset();
      ended.emplace_back(step, point);
    }
  }
  if (!on_point_) return;
  for (const auto& [step, point] : ended) on_point_(step, point);
}

std::vector<std::optional<HistoryPoint>> History::points(HistoryStep step, std::size_t most) const {
  std::vector<std::optional<HistoryPoint>> out;
  const std::lock_guard lock(mutex_);
  const auto& points = points_[index_of(step)];
  if (points.empty()) return out;
  const std::int64_t last = points.rbegin()->first;
  const std::int64_t first =
      std::max(points.begin()->first, last - static_cast<std::int64_t>(most - 1) * seconds_of(step));
  for (std::int64_t end = first; end <= last; end += seconds_of(step)) {
    const auto found = points.find(end);
    out.push_back(found == points.end() ? std::nullopt : std::optional(found->second));
  }
  return out;
}

}  // namespace millrace
