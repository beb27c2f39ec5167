// The report of a run, as JSON for programs (docs/OPERATIONS.md describes it) and, made from that, as text for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "load/load_run.h"
#include "load/threshold.h"

namespace millrace {

inline constexpr char kReportSchema[] = "millrace-load/1";

/// `started` in seconds since 1970.
nlohmann::ordered_json make_report(const LoadOptions& options, const LoadOutcome& outcome, std::int64_t started);

/// Errors: kUsage when it is not a report of this schema.
Result<nlohmann::ordered_json> read_report(const std::string& path);

std::string report_text(const nlohmann::ordered_json& report);

/// Whether `results` of a report holds the threshold. What was not measured, or by too few transfers, misses it.
bool reaches(const nlohmann::ordered_json& results, const Threshold& threshold);

/// All of them.
bool reaches(const RunTally& run, const std::vector<Threshold>& thresholds);

}  // namespace millrace
