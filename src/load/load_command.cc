#include "load/load_command.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>

#include "load/compare_reports.h"
#include "load/load_report.h"
#include "load/report_html.h"

namespace millrace {

namespace {

constexpr int kFailedExit = 1;
constexpr int kUsageExit = 2;
constexpr int kMissedExit = 3;
constexpr int kIntegrityExit = 15;
constexpr int kNetworkExit = 16;
constexpr int kSignalExit = 128;
constexpr char kStandardOutput[] = "-";

int complain(const Error& error) {
  std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(error.code)).c_str(), error.sentence.c_str());
  if (error.code == Code::kUsage) return kUsageExit;
  return error.code == Code::kNetwork ? kNetworkExit : kFailedExit;
}

Status write_text(const std::string& text, const std::string& path) {
  if (path == kStandardOutput) {
    std::cout << text << std::flush;
    return {};
  }
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) return fail(Code::kFailed, "The report cannot be written to '" + path + "'.");
  return {};
}

int exit_code(const LoadOptions& options, const LoadOutcome& outcome, const nlohmann::ordered_json& results) {
  if (outcome.signal != 0) return kSignalExit + outcome.signal;
  if (outcome.verify && outcome.verify->lost > 0) return kIntegrityExit;
  const bool reached = std::all_of(options.thresholds.begin(), options.thresholds.end(),
                                   [&results](const Threshold& one) { return reaches(results, one); });
  const bool found =
      std::any_of(outcome.probes.begin(), outcome.probes.end(), [](const RateProbe& probe) { return probe.held; });
  if (!reached || (!options.find_max.empty() && !found)) return kMissedExit;
  const bool complete = outcome.setup.errors.empty() && (!outcome.verify || outcome.verify->errors.empty()) &&
                        outcome.cleanup_errors.empty();
  return complete ? 0 : kFailedExit;
}

int run(const LoadOptions& options) {
  const std::int64_t started = std::time(nullptr);
  const auto outcome = run_load(options);
  if (!outcome) return complain(outcome.error());
  const auto report = make_report(options, *outcome, started);
  if (!options.quiet && options.json_path != kStandardOutput) std::cout << report_text(report) << std::flush;
  if (!options.json_path.empty()) {
    if (const Status written = write_text(report.dump(1) + "\n", options.json_path); !written)
      return complain(written.error());
  }
  return exit_code(options, *outcome, report["results"]);
}

/// `page` where one is asked for, else `text`.
template <typename Page, typename Text>
int present(const std::string& html, Page page, Text text) {
  const Status written = html.empty() ? write_text(text(), kStandardOutput) : write_text(page(), html);
  return written ? 0 : complain(written.error());
}

int show(const ReportOptions& options) {
  const auto report = read_report(options.path);
  if (!report) return complain(report.error());
  return present(
      options.html, [&] { return report_html(*report); }, [&] { return report_text(*report); });
}

int compare(const CompareOptions& options) {
  const auto compared = compare_reports(options.first, options.second);
  if (!compared) return complain(compared.error());
  return present(
      options.html, [&] { return comparison_html(*compared); }, [&] { return comparison_text(*compared); });
}

}  // namespace

int run_load_command(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const LoadCommand command = parse_load_command(argc, argv);
  if (const auto* const options = std::get_if<LoadOptions>(&command)) return run(*options);
  if (const auto* const options = std::get_if<ReportOptions>(&command)) return show(*options);
  if (const auto* const options = std::get_if<CompareOptions>(&command)) return compare(*options);
  return std::get<int>(command);
}

}  // namespace millrace
