#include "load/compare_reports.h"

#include <cmath>
#include <cstdio>

#include "base/path.h"
#include "load/load_report.h"
#include "load/rank_statistics.h"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;

constexpr double kSameShare = 0.02;  ///< an interval within this of no difference is none
/// What must be alike for the figures to be comparable. The seed and the number of runs need not be.
constexpr const char* kEnvironment[] = {"system", "cpu", "cores", "memory_bytes", "build"};
constexpr const char* kScenario[] = {"op",           "mix",       "model",           "rate",         "clients",
                                     "slow_clients", "transfers", "measure_seconds", "ramp_seconds", "warmup_seconds",
                                     "size",         "change",    "edits",           "edit_size"};

struct Figure {
  const char* name;
  const char* pointer;  ///< in a run's results
  Wanted wanted;
  double scale;  ///< to the unit in the name
};

constexpr Figure kFigures[] = {
    {"transfers a second", "/transfers_per_second", Wanted::kMore, 1},
    {"p50 ms", "/latency_seconds/p50", Wanted::kLess, 1e3},
    {"p90 ms", "/latency_seconds/p90", Wanted::kLess, 1e3},
    {"p99 ms", "/latency_seconds/p99", Wanted::kLess, 1e3},
    {"p99.9 ms", "/latency_seconds/p999", Wanted::kLess, 1e3},
    {"wire KiB", "/wire_bytes", Wanted::kLess, 1.0 / 1024},
    {"server CPU us each", "/server/cpu_seconds_per_transfer", Wanted::kLess, 1e6},
    {"server peak MiB", "/server/peak_resident_bytes", Wanted::kLess, 1.0 / (1024 * 1024)},
};

Status check_alike(const json& first, const json& other, const std::string& path) {
  const auto check = [&](const char* part, const auto& keys) -> Status {
    for (const char* const key : keys) {
      const json& a = first[part][key];
      const json& b = other[part][key];
      if (a != b) {
        return fail(Code::kUsage, "'" + printable(path) + "' cannot be compared: its " + part + " has another " + key +
                                      " (" + b.dump() + " instead of " + a.dump() + ").");
      }
    }
    return {};
  };
  MILLRACE_TRY(check("environment", kEnvironment));
  return check("scenario", kScenario);
}

/// The runs of all reports; `pattern` is what they must be like.
Result<std::vector<json>> runs_of(const std::vector<std::string>& paths, std::optional<json>& pattern) {
  std::vector<json> runs;
  for (const std::string& path : paths) {
    MILLRACE_ASSIGN(json report, read_report(path));
    if (report.value("partial", json()) == true)
      return fail(Code::kUsage, "'" + printable(path) + "' is partial: its run was interrupted.");
    if (!pattern) pattern = report;
    MILLRACE_TRY(check_alike(*pattern, report, path));
    for (const json& run : report["runs"]) runs.push_back(run);
  }
  if (runs.empty()) return fail(Code::kUsage, "There are no runs in these reports.");
  return runs;
}

/// The figure of each run, or nothing where a run lacks it.
std::vector<double> values(const std::vector<json>& runs, const Figure& figure) {
  std::vector<double> values;
  const json::json_pointer pointer(figure.pointer);
  for (const json& run : runs) {
    if (!run.contains(pointer) || !run.at(pointer).is_number()) return {};
    values.push_back(run.at(pointer).get<double>() * figure.scale);
  }
  return values;
}

Comparison::Row compared(const Figure& figure, const std::vector<double>& first, const std::vector<double>& second) {
  const double before = median(first);
  const Shift shift = shift_between(first, second);
  const auto share = [before](double difference) { return before != 0 ? difference / before : 0; };
  Comparison::Row row{figure.name, first, second, before, median(second), share(shift.estimate)};
  if (shift.interval && before != 0) {
    row.interval = Shift::Interval{share(shift.interval->low), share(shift.interval->high)};
    row.verdict = judge(row.interval->low, row.interval->high, figure.wanted);
  }
  return row;
}

}  // namespace

Verdict judge(double low, double high, Wanted wanted) {
  if (low >= -kSameShare && high <= kSameShare) return Verdict::kSame;
  if (low > 0) return wanted == Wanted::kMore ? Verdict::kBetter : Verdict::kWorse;
  if (high < 0) return wanted == Wanted::kMore ? Verdict::kWorse : Verdict::kBetter;
  return Verdict::kInconclusive;
}

std::string interval_text(const Comparison::Row& row) {
  if (!row.interval) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%+.1f %% to %+.1f %%", row.interval->low * 100, row.interval->high * 100);
  return text;
}

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kBetter:
      return "better";
    case Verdict::kWorse:
      return "worse";
    case Verdict::kSame:
      return "same";
    case Verdict::kInconclusive:
      break;
  }
  return "inconclusive";
}

Result<Comparison> compare_reports(const std::vector<std::string>& first, const std::vector<std::string>& second) {
  std::optional<json> pattern;
  MILLRACE_ASSIGN(const std::vector<json> before, runs_of(first, pattern));
  MILLRACE_ASSIGN(const std::vector<json> after, runs_of(second, pattern));
  Comparison out;
  out.first_runs = before.size();
  out.second_runs = after.size();
  out.carries_intervals =
      shift_between(std::vector<double>(before.size()), std::vector<double>(after.size())).interval.has_value();
  out.pattern = std::move(*pattern);
  for (const Figure& figure : kFigures) {
    const auto a = values(before, figure);
    const auto b = values(after, figure);
    if (!a.empty() && !b.empty()) out.rows.push_back(compared(figure, a, b));
  }
  return out;
}

std::string comparison_head(const Comparison& comparison) {
  return std::to_string(comparison.first_runs) + " runs against " + std::to_string(comparison.second_runs) +
         "; medians, difference (Hodges-Lehmann) with its 95 % interval (Mann-Whitney)";
}

std::string comparison_text(const Comparison& comparison) {
  std::string text = comparison_head(comparison) + "\n";
  char line[256];
  std::snprintf(line, sizeof line, "%-20s %12s %12s %11s  %-22s %s\n", "", "first", "second", "difference", "interval",
                "verdict");
  text += line;
  for (const Comparison::Row& row : comparison.rows) {
    std::snprintf(line, sizeof line, "%-20s %12.2f %12.2f %+9.1f %%  %-22s %s\n", row.name.c_str(), row.before,
                  row.after, row.difference * 100, interval_text(row).c_str(), verdict_name(row.verdict));
    text += line;
  }
  if (!comparison.carries_intervals) text += std::string(kTooFewRuns) + "\n";
  return text;
}

}  // namespace millrace
