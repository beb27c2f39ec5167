// load/report_html: what a page is made of, and that a report from anybody cannot make anything else of it.
#include "load/report_html.h"

#include <catch2/catch.hpp>

#include "load/html_page.h"
#include "load/load_report.h"
#include "load/svg_chart.h"

using namespace millrace;
using json = nlohmann::ordered_json;

namespace {

constexpr char kHostile[] = "</td><script>alert(1)</script><img src=\"x\" onerror='y'>&\x1b[2J";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

json measured(int seconds = 3) {
  RunTally run;
  run.seconds = seconds;
  OperationTally& uploads = run.operations[Operation::kUploadDelta];
  for (std::uint64_t i = 1; i <= 2000; ++i) uploads.latency.record(i * 100);
  uploads.transfers = 2000;
  uploads.logical_bytes = 2'000'000;
  uploads.errors["E_QUOTA"] = 3;
  uploads.first_sentences["E_QUOTA"] = kHostile;
  for (int i = 0; i < seconds; ++i) run.per_second.push_back({});
  LoadOutcome outcome;
  outcome.runs.push_back(run);
  LoadOptions options;
  options.url_text = kHostile;
  return make_report(options, outcome, 1'764'300'000);
}

/// Nothing on it is fetched, run, or more than one page.
void require_harmless(const std::string& page) {
  for (const char* const part :
       {"<script", "<img", "<link", "<iframe", "src=\"", "href=\"", "onerror='", "url(", "@import", "\x1b"})
    CHECK_FALSE(has(page, part));
  CHECK(count(page, "<html") == 1);
  CHECK(count(page, "</html>") == 1);
  CHECK(count(page, "<table") == count(page, "</table>"));
  CHECK(count(page, "<td>") == count(page, "</td>"));
  CHECK(count(page, "<svg") == count(page, "</svg>"));
  CHECK(has(page, "default-src 'none'"));
}

/// Every text and every name of a member becomes hostile, every number as large as may be.
void poison(json& value) {
  if (value.is_string()) {
    value = kHostile;
  } else if (value.is_number()) {
    value = 1e308;
  } else if (value.is_object()) {
    for (auto& [name, part] : value.items()) poison(part);
    value[kHostile] = kHostile;
  } else if (value.is_array()) {
    for (auto& part : value) poison(part);
  }
}

/// Every text becomes a number, every number a text.
void confuse(json& value) {
  if (value.is_string()) {
    value = 7;
  } else if (value.is_number()) {
    value = "seven";
  } else if (value.is_structured()) {
    for (auto& part : value) confuse(part);
  }
}

}  // namespace

TEST_CASE("what is escaped is text everywhere") {
  CHECK(escaped("a<b>&\"c'") == "a&lt;b&gt;&amp;&quot;c&#39;");
  CHECK(has(html_page("<x>", ""), "<title>&lt;x&gt;</title>"));
  CHECK(has(html_table("<c>", {{"<a>"}, {"<b>"}}, TableKind::kTexts), "&lt;b&gt;"));
}

TEST_CASE("a page has the charts, the results and the options") {
  const std::string page = report_html(measured());
  require_harmless(page);
  CHECK(count(page, "<svg") == 4);
  for (const char* const part : {"Throughput", "Latency", "p99.9", "E_QUOTA", "2000", "2025-11-28 03:20 UTC",
                                 "Scenario", "edit_size", "prefers-color-scheme:dark"})
    CHECK(has(page, part));
  CHECK(has(page, "&lt;script&gt;alert(1)"));
}

TEST_CASE("a report from anybody makes no other page of it") {
  json report = measured();
  poison(report);
  require_harmless(report_html(report));
  report = measured();
  confuse(report);
  require_harmless(report_html(report));
  require_harmless(report_html(json::object()));
  require_harmless(
      report_html({{"results", {{"per_second", 3}, {"histogram", {{1}, {"a", 2}, 3}}}}, {"runs", {1, 2}}}));
}

TEST_CASE("a long run's chart stays small") {
  const std::string page = report_html(measured(50'000));
  CHECK(page.size() < 100'000);
}

TEST_CASE("peaks are kept where they are what matters, and gaps stay gaps") {
  ChartSeries series{"s", std::vector<std::optional<double>>(4000, 1.0)};
  series.values[1234] = 1000;
  CHECK(has(svg_lines({"t", "u", {series}, true}), ">1000</text>"));
  CHECK_FALSE(has(svg_lines({"t", "u", {series}, false}), ">1000</text>"));
  CHECK(count(svg_lines({"t", "u", {{"s", {1.0, std::nullopt, 2.0}}}}), "<polyline") == 2);
  CHECK(svg_lines({"t", "u", {}}).empty());
  CHECK(svg_distribution({"t", {}, {}}).empty());
}

TEST_CASE("two groups of runs become dots and verdicts") {
  Comparison comparison;
  comparison.pattern = measured();
  comparison.rows.push_back(
      {"p99 ms", {1, 2, 3, 4}, {11, 12, 13, 15}, 2.5, 12.5, 4, Shift::Interval{2.8, 5.6}, Verdict::kWorse});
  comparison.carries_intervals = true;
  const std::string page = comparison_html(comparison);
  require_harmless(page);
  CHECK(count(page, "<circle") == 8);
  CHECK(has(page, "worse"));
  CHECK(has(page, "+280.0 % to +560.0 %"));
}
