// load/load_report, load/rank_statistics, load/compare_reports: what is made of what was measured.
#include "load/load_report.h"

#include <catch2/catch.hpp>

#include "load/compare_reports.h"
#include "load/rank_statistics.h"

using namespace millrace;

namespace {

LoadOutcome measured() {
  RunTally run;
  run.seconds = 2;
  run.sent_bytes = 300;
  run.received_bytes = 700;
  OperationTally& uploads = run.operations[Operation::kUploadDelta];
  for (std::uint64_t i = 1; i <= 200; ++i) uploads.latency.record(i * 1000);
  uploads.transfers = 200;
  uploads.logical_bytes = 200'000;
  uploads.errors["E_QUOTA"] = 3;
  uploads.first_sentences["E_QUOTA"] = "full\x1b[2J";
  LoadOutcome outcome;
  outcome.runs.push_back(run);
  return outcome;
}

bool reached(const nlohmann::ordered_json& report, const char* text) {
  const auto thresholds = parse_thresholds(text);
  REQUIRE(thresholds);
  return reaches(report["results"], thresholds->front());
}

}  // namespace

SCENARIO("a report has the names that other tools rely on") {
  const auto report = make_report({}, measured(), 0);
  REQUIRE(report["schema"] == "millrace-load/1");
  REQUIRE(report["partial"] == false);
  const auto& results = report["results"];
  REQUIRE(results["transfers"] == 200);
  REQUIRE(results["errors"] == nlohmann::ordered_json{{"E_QUOTA", 3}});
  REQUIRE(results["lost"].is_null());  // nothing was verified
  REQUIRE(results["seconds"] == 2.0);
  REQUIRE(results["logical_bytes"] == 200'000);
  REQUIRE(results["wire_bytes"] == 1000);
  REQUIRE(results["throughput_bytes_per_second"] == 100'000.0);
  REQUIRE(results["latency_seconds"]["p50"].get<double>() == Approx(0.1).epsilon(0.001));
  REQUIRE(results["latency_seconds"]["p99"].get<double>() == Approx(0.198).epsilon(0.001));
  REQUIRE(results["latency_seconds"]["p999"].is_null());
  REQUIRE(results["latency_seconds"]["max"].get<double>() == Approx(0.2));
  std::uint64_t counted = 0;
  for (const auto& cell : results["histogram"]) counted += cell[1].get<std::uint64_t>();
  REQUIRE(counted == 200);
  REQUIRE(report["runs"].size() == 1);
}

SCENARIO("what is verified is told, and a signal makes a report partial") {
  LoadOutcome outcome = measured();
  outcome.verify.emplace().lost = 2;
  outcome.signal = 2;
  const auto report = make_report({}, outcome, 0);
  REQUIRE(report["results"]["lost"] == 2);
  REQUIRE(report["partial"] == true);
  REQUIRE(report_text(report).find("PARTIAL") != std::string::npos);
  REQUIRE(report_text(report).find('\x1b') == std::string::npos);
}

SCENARIO("a threshold is reached, missed, or missed because nothing tells") {
  const auto report = make_report({}, measured(), 0);
  REQUIRE(reached(report, "p99<200ms"));
  REQUIRE_FALSE(reached(report, "p99<190ms"));
  REQUIRE(reached(report, "rate>99"));
  REQUIRE_FALSE(reached(report, "rate>100"));
  REQUIRE(reached(report, "errors<1.5%"));
  REQUIRE_FALSE(reached(report, "errors<1.4%"));
  REQUIRE(reached(report, "errors<4"));
  REQUIRE_FALSE(reached(report, "errors<3"));
  REQUIRE_FALSE(reached(report, "p999<10s"));
  REQUIRE_FALSE(reached(report, "lost<1"));
}

SCENARIO("the difference of two samples is Hodges and Lehmann's, its interval Mann and Whitney's") {
  // Worked by hand: of the 16 differences the 1st and the 16th bound the interval (P(U = 0) = 1/70 < 0.025).
  const Shift shift = shift_between({1, 2, 3, 4}, {11, 12, 13, 15});
  REQUIRE(shift.estimate == Approx(10));
  REQUIRE(shift.interval);
  REQUIRE(shift.interval->low == 7);
  REQUIRE(shift.interval->high == 14);
  REQUIRE_FALSE(shift_between({1, 2, 3}, {4, 5, 6}).interval);
  // Tables give U = 23 for ten and ten at 5 %, two-sided: the 24th difference from each end.
  std::vector<double> first;
  std::vector<double> second;
  for (int i = 0; i < 10; ++i) {
    first.push_back(i);
    second.push_back(i * 100);
  }
  std::vector<double> differences;
  for (const double a : first) {
    for (const double b : second) differences.push_back(b - a);
  }
  std::sort(differences.begin(), differences.end());
  const Shift ten = shift_between(first, second);
  REQUIRE(ten.interval);
  REQUIRE(ten.interval->low == differences[23]);
  REQUIRE(ten.interval->high == differences[76]);
}

SCENARIO("a verdict needs an interval on one side, or one that is narrow around nothing") {
  REQUIRE(judge(0.05, 0.2, Wanted::kMore) == Verdict::kBetter);
  REQUIRE(judge(0.05, 0.2, Wanted::kLess) == Verdict::kWorse);
  REQUIRE(judge(-0.2, -0.05, Wanted::kMore) == Verdict::kWorse);
  REQUIRE(judge(-0.2, -0.05, Wanted::kLess) == Verdict::kBetter);
  REQUIRE(judge(-0.01, 0.01, Wanted::kLess) == Verdict::kSame);
  REQUIRE(judge(-0.05, 0.2, Wanted::kLess) == Verdict::kInconclusive);
}
