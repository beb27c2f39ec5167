// Reports of two kinds side by side. The run is the unit, not the transfer: transfers of one run share its luck.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "load/rank_statistics.h"

namespace millrace {

/// By the 95 % interval of a difference, as shares of the first median.
enum class Verdict { kBetter, kWorse, kSame, kInconclusive };
enum class Wanted { kMore, kLess };
Verdict judge(double low, double high, Wanted wanted);
/// "better", "worse", "same", "inconclusive".
const char* verdict_name(Verdict verdict);

/// What changed from the first reports to the second.
struct Comparison {
  struct Row {
    std::string name;           ///< with its unit
    std::vector<double> first;  ///< one of each run
    std::vector<double> second;
    double before = 0;  ///< medians
    double after = 0;
    double difference = 0;  ///< as a share of `before`, like the interval
    std::optional<Shift::Interval> interval = {};
    Verdict verdict = Verdict::kInconclusive;
  };
  std::vector<Row> rows;
  std::size_t first_runs = 0;
  std::size_t second_runs = 0;
  bool carries_intervals = false;
  nlohmann::ordered_json pattern;  ///< the first of all reports: machine and scenario are the same in all
};
inline constexpr char kTooFewRuns[] = "So few runs carry no interval: take at least 4 of each (--repeat).";

/// Errors: kUsage where a file is no whole report, or where machine or scenario differ.
Result<Comparison> compare_reports(const std::vector<std::string>& first, const std::vector<std::string>& second);
/// A table, with a verdict for each figure.
std::string comparison_text(const Comparison& comparison);
/// Its first line.
std::string comparison_head(const Comparison& comparison);
std::string interval_text(const Comparison::Row& row);

}  // namespace millrace
