#include "load/report_html.h"

#include "base/path.h"
#include "base/timestamp.h"
#include "load/html_page.h"
#include "load/svg_chart.h"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

constexpr double kMiB = 1024.0 * 1024.0;

const json& member(const json& object, const char* name) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

std::optional<double> number(const json& value) {
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::string count_text(const json& value) {
  if (value.is_number_unsigned() || value.is_number_integer()) return value.dump();
  return value.is_number() ? number_text(value.get<double>()) : "-";
}

std::string seconds_text(const json& value) {
  const auto seconds = number(value);
  return seconds ? time_text(*seconds) : "-";
}

std::string scaled_text(const json& value, double scale, const char* unit) {
  const auto amount = number(value);
  return amount ? number_text(*amount * scale) + " " + unit : "-";
}

/// To the minute, with a comma behind it.
std::string moment_text(const json& seconds_since_1970) {
  static constexpr std::int64_t kMost = 8'000'000'000;
  static constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  if (!seconds_since_1970.is_number_integer()) return {};
  const auto seconds = seconds_since_1970.get<std::int64_t>();
  if (seconds < 0 || seconds > kMost) return {};
  const std::string text = format_timestamp(seconds * kNsPerSecond);
  return text.substr(0, 10) + " " + text.substr(11, 5) + " UTC, ";
}

/// Any value, in a line.
std::string any_text(const json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return printable(value.get<std::string>());
  if (value.is_number_float()) return number_text(value.get<double>());
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Rows pairs_of(const json& object, const char* first, const char* second) {
  Rows rows{{first, second}};
  if (!object.is_object()) return rows;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_object() || value.empty()) {
      rows.push_back({printable(name), any_text(value)});
      continue;
    }
    for (const auto& [part, inner] : value.items())
      rows.push_back({printable(name) + " " + printable(part), any_text(inner)});
  }
  return rows;
}

std::string paragraph(const std::string& text, const char* kind = "") {
  return "<p class=\"" + std::string(kind) + "\">" + escaped(text) + "</p>\n";
}

std::string heading(const char* text) {
  return "<h2>" + std::string(text) + "</h2>\n";
}

ChartSeries per_second(const json& results, const char* name, double scale, const char* title) {
  ChartSeries series{title, {}};
  for (const json& second : member(results, "per_second")) {
    const auto value = number(member(second, name));
    series.values.push_back(value ? std::optional<double>(*value * scale) : std::nullopt);
  }
  // A second of which the run had less than half would look like a fall.
  const double length = number(member(results, "seconds")).value_or(0);
  const auto whole = static_cast<double>(series.values.size()) - 1;
  if (whole >= 1 && length > whole && length < whole + 0.5) series.values.pop_back();
  return series;
}

Distribution distribution_of(const json& results) {
  Distribution out{"Latency", {}, {}};
  for (const json& cell : member(results, "histogram")) {
    if (!cell.is_array() || cell.size() != 2 || !cell[0].is_number() || !cell[1].is_number()) continue;
    out.cells.push_back({cell[0].get<double>(), cell[1].get<double>()});
  }
  const json& latency = member(results, "latency_seconds");
  for (const char* const name : {"p50", "p90", "p99", "p999"})
    if (const auto seconds = number(member(latency, name))) out.marks.push_back({name, *seconds});
  return out;
}

std::string charts(const json& results) {
  std::string out = "<div class=\"charts\">\n";
  out += svg_lines({"Throughput", "MiB of files a second", {per_second(results, "logical_bytes", 1 / kMiB, "")}});
  out += svg_lines({"Transfers and errors",
                    "each second",
                    {per_second(results, "transfers", 1, "transfers"), per_second(results, "errors", 1, "errors")}});
  out += svg_distribution(distribution_of(results));
  out += svg_lines({"Latency over time",
                    "ms",
                    {per_second(results, "mean", 1e3, "mean"), per_second(results, "max", 1e3, "highest")},
                    true});
  return out + "</div>\n";
}

/// `seconds`: how long it was measured.
std::vector<std::string> figures_of(const std::string& name, const json& results, const json& seconds) {
  const json& latency = member(results, "latency_seconds");
  const double length = number(seconds).value_or(0);
  const double each_second = length > 0 ? 1 / length : 0;
  std::vector<std::string> row{name, count_text(member(results, "transfers")),
                               scaled_text(member(results, "transfers"), each_second, "/s"),
                               scaled_text(member(results, "logical_bytes"), each_second / kMiB, "MiB/s"),
                               scaled_text(member(results, "wire_bytes"), 1 / kMiB, "MiB")};
  for (const char* const which : {"p50", "p90", "p99", "p999", "max"})
    row.push_back(seconds_text(member(latency, which)));
  return row;
}

std::string results_tables(const json& report) {
  const json& results = member(report, "results");
  Rows figures{{"", "transfers", "rate", "throughput", "on the wire", "p50", "p90", "p99", "p99.9", "max"}};
  figures.push_back(figures_of("all", results, member(results, "seconds")));
  const json& operations = member(results, "operations");
  if (operations.is_object() && operations.size() > 1)
    for (const auto& [name, tally] : operations.items())
      figures.push_back(figures_of(printable(name), tally, member(results, "seconds")));
  const json& runs = member(report, "runs");
  if (runs.is_array() && runs.size() > 1)
    for (std::size_t i = 0; i < runs.size(); ++i)
      figures.push_back(figures_of("run " + std::to_string(i + 1), runs[i], member(runs[i], "seconds")));
  std::string out = html_table("Transfers", figures, TableKind::kNumbers);
  Rows trouble{{"code", "count", "the first of them"}};
  const json& errors = member(results, "errors");
  if (errors.is_object())
    for (const auto& [code, count] : errors.items())
      trouble.push_back(
          {printable(code), any_text(count), any_text(member(member(results, "first_errors"), code.c_str()))});
  for (const char* const name : {"unfinished", "connections_lost", "lost"})
    if (const auto count = number(member(results, name)); count && *count > 0)
      trouble.push_back({name, number_text(*count),
                         name == std::string("lost") ? any_text(member(member(report, "verify"), "first_lost")) : "-"});
  if (trouble.size() > 1) out += html_table("Errors", trouble, TableKind::kTexts);
  Rows thresholds{{"threshold", "reached"}};
  for (const json& one : member(report, "thresholds"))
    thresholds.push_back({any_text(member(one, "text")), member(one, "reached") == true ? "yes" : "NO"});
  if (thresholds.size() > 1) out += html_table("Thresholds", thresholds, TableKind::kTexts);
  for (const auto& [name, caption] : {std::pair("server", "The server"), std::pair("generator", "The generator")})
    if (member(results, name).is_object())
      out += html_table(caption, pairs_of(member(results, name), "", ""), TableKind::kTexts);
  for (const auto& [name, caption] :
       {std::pair("verify", "Verified afterwards"), std::pair("find_max", "Highest rate")})
    if (member(report, name).is_object())
      out += html_table(caption, pairs_of(member(report, name), "", ""), TableKind::kTexts);
  return out;
}

std::string options_tables(const json& report) {
  return heading("Options and machine") +
         html_table("Scenario", pairs_of(member(report, "scenario"), "option", "value"), TableKind::kTexts) +
         html_table("Machine", pairs_of(member(report, "environment"), "", ""), TableKind::kTexts);
}

std::string title_of(const json& report) {
  const json& scenario = member(report, "scenario");
  return "millrace-load: " + any_text(member(scenario, "op")) + ", " + any_text(member(scenario, "clients")) +
         " clients, " + any_text(member(scenario, "size"));
}

}  // namespace

std::string report_html(const json& report) {
  const std::string title = title_of(report);
  const json& results = member(report, "results");
  std::string body = "<h1>" + escaped(title) + "</h1>\n";
  const json& started = member(report, "started");
  body += paragraph(moment_text(started) + seconds_text(member(results, "seconds")) + " measured, millrace-load " +
                    any_text(member(member(report, "environment"), "version")));
  if (member(report, "partial") == true)
    body += paragraph("PARTIAL: the run was interrupted, and what follows is what there was.", "warning");
  const json& generator = member(results, "generator");
  if (member(generator, "bottleneck") == true)
    body += paragraph("The generator itself was the bottleneck: " + any_text(member(generator, "bottleneck_reason")),
                      "warning");
  body += charts(results) + heading("Results") + results_tables(report) + options_tables(report);
  return html_page(title, body);
}

std::string comparison_html(const Comparison& comparison) {
  const std::string title = title_of(comparison.pattern) + ", compared";
  std::string body = "<h1>" + escaped(title) + "</h1>\n" + paragraph(comparison_head(comparison));
  if (!comparison.carries_intervals) body += paragraph(kTooFewRuns, "warning");
  Rows rows{{"", "first", "second", "difference", "95 % interval", "verdict"}};
  std::string charts;
  for (const Comparison::Row& row : comparison.rows) {
    rows.push_back({row.name, number_text(row.before), number_text(row.after),
                    (row.difference > 0 ? "+" : "") + number_text(row.difference * 100) + " %", interval_text(row),
                    verdict_name(row.verdict)});
    charts += svg_groups(row.name, row.first, row.second);
  }
  body += html_table("Medians", rows, TableKind::kNumbers) + "<div class=\"charts\">\n" + charts + "</div>\n" +
          options_tables(comparison.pattern);
  return html_page(title, body);
}

}  // namespace millrace
