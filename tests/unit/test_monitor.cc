#include <catch2/catch.hpp>

#include "monitor/families.h"
#include "monitor/history.h"
#include "monitor/process_figures.h"
#include "monitor/transfers.h"

using namespace millrace;

namespace {

HistorySample at(std::int64_t second, std::uint64_t bytes, std::uint64_t connections = 0) {
  HistorySample sample;
  sample.at_s = second;
  sample.in_bytes = bytes;
  sample.connections = connections;
  return sample;
}

}  // namespace

TEST_CASE("steps hold what counters grew by") {
  std::vector<std::pair<HistoryStep, HistoryPoint>> ended;
  History history([&](HistoryStep step, const HistoryPoint& point) { ended.emplace_back(step, point); });
  for (std::int64_t second = 6000; second <= 6180; ++second)
    history.add(at(second, static_cast<std::uint64_t>(second) * 10, second <= 6060 ? 4 : 8));
  const auto seconds = history.points(HistoryStep::kSecond, 1000);
  REQUIRE(seconds.size() == 180);
  for (const auto& point : seconds) REQUIRE(point.value().in_bytes == 10);
  const auto minutes = history.points(HistoryStep::kMinute, 1000);
  REQUIRE(minutes.size() == 3);
  for (const auto& point : minutes) REQUIRE(point.value().in_bytes == 600);
  REQUIRE(minutes[0]->connections == 4);
  REQUIRE(minutes[1]->connections == 8);
  REQUIRE(history.points(HistoryStep::kSecond, 7).size() == 7);
  REQUIRE(ended.size() == 183);
}

TEST_CASE("where the server did not run there is nothing, and a start begins anew") {
  History first;
  for (std::int64_t second = 0; second <= 120; ++second) first.add(at(second, 5 * static_cast<std::uint64_t>(second)));
  std::vector<HistoryPoint> kept;
  for (const auto& point : first.points(HistoryStep::kMinute, 10)) kept.push_back(point.value());
  REQUIRE(kept.size() == 2);
  History second_run;
  second_run.restore(HistoryStep::kMinute, kept);
  for (std::int64_t second = 300; second <= 360; ++second) second_run.add(at(second, 1));
  const auto minutes = second_run.points(HistoryStep::kMinute, 10);
  REQUIRE(minutes.size() == 6);
  REQUIRE(minutes[1]->in_bytes == 300);
  REQUIRE_FALSE(minutes[2]);
  REQUIRE_FALSE(minutes[4]);
  REQUIRE(minutes[5]->in_bytes == 0);
}

TEST_CASE("a clock that is set back makes no nonsense") {
  History history;
  for (std::int64_t second = 1000; second <= 1100; ++second)
    history.add(at(second, static_cast<std::uint64_t>(second)));
  history.add(at(500, 2000));
  for (std::int64_t second = 501; second <= 510; ++second)
    history.add(at(second, 2000 + static_cast<std::uint64_t>(second)));
  for (const auto& point : history.points(HistoryStep::kSecond, 1000))
    if (point) {
      REQUIRE(point->end_s <= 510);
      REQUIRE(point->in_bytes >= 0);
      REQUIRE(point->in_bytes < 1000);
    }
}

TEST_CASE("memory is bounded") {
  History history;
  for (std::int64_t second = 0; second < 4000; ++second) history.add(at(second, 0));
  REQUIRE(history.points(HistoryStep::kSecond, 100'000).size() == most_points(HistoryStep::kSecond));
  RecentTransfers recent(3);
  for (std::uint64_t i = 0; i < 10; ++i) {
    TransferView view;
    view.connection = i;
    view.account = i % 2 == 0 ? "even" : "odd";
    recent.add(std::move(view));
  }
  REQUIRE(recent.list(std::nullopt).size() == 3);
  REQUIRE(recent.list(std::nullopt).front().connection == 9);
  REQUIRE(recent.list("even").size() == 1);
}

TEST_CASE("points survive the catalogue, and nothing else is taken for one") {
  HistoryPoint point;
  point.end_s = 1'700'000'000;
  point.in_bytes = 12.5;
  point.lag_p99_s = 0.25;
  const auto back = decode_history_point(encode(point));
  REQUIRE(back.value().end_s == point.end_s);
  REQUIRE(back.value().in_bytes == point.in_bytes);
  REQUIRE(back.value().lag_p99_s == point.lag_p99_s);
  REQUIRE_FALSE(decode_history_point(Buffer(5, Byte{0})));
}

TEST_CASE("durations and their quantiles") {
  DurationTally tally;
  for (int i = 0; i < 90; ++i) tally.record(std::chrono::microseconds(700));
  for (int i = 0; i < 10; ++i) tally.record(std::chrono::seconds(3));
  tally.record(std::chrono::seconds(1000));
  const DurationCounts counts = tally.read();
  REQUIRE(counts.count == 101);
  REQUIRE(counts.quantile(0.5) > 0.0005);
  REQUIRE(counts.quantile(0.5) < 0.001);
  REQUIRE(counts.quantile(0.95) > 2.5);
  REQUIRE(counts.quantile(0.95) < 5);
  REQUIRE(counts.quantile(1) == 60);
  REQUIRE(counts.since(counts).count == 0);
  REQUIRE(DurationCounts().quantile(0.5) == 0);
}

TEST_CASE("metrics as text and as numbers are the same") {
  Families families;
  families.counter("a_total", "What.", 3, {{"kind", "x"}});
  families.counter("a_total", "What.", 4, {{"kind", "y"}});
  families.gauge("b", "That.", 1.5);
  DurationTally tally;
  tally.record(std::chrono::milliseconds(20));
  families.histogram("c_seconds", "How long.", tally.read());
  const std::string text = families.text();
  REQUIRE(text.find("# TYPE a_total counter\na_total{kind=\"x\"} 3\na_total{kind=\"y\"} 4\n") != std::string::npos);
  REQUIRE(text.find("c_seconds_bucket{le=\"0.01\"} 0\n") != std::string::npos);
  REQUIRE(text.find("c_seconds_bucket{le=\"0.025\"} 1\n") != std::string::npos);
  REQUIRE(text.find("c_seconds_bucket{le=\"+Inf\"} 1\n") != std::string::npos);
  const auto values = families.values();
  REQUIRE(values == std::vector<std::pair<std::string, double>>{
                        {"a_total{kind=\"x\"}", 3}, {"a_total{kind=\"y\"}", 4}, {"a_total", 7}, {"b", 1.5}});
}

TEST_CASE("the process sees itself") {
  const ProcessWatch watch;
  const ProcessFigures figures = watch.look();
  REQUIRE(figures.resident_bytes > 1'000'000);
  REQUIRE(figures.virtual_bytes >= figures.resident_bytes);
  REQUIRE(figures.open_descriptors >= 3);
  REQUIRE(figures.most_descriptors >= figures.open_descriptors);
}
