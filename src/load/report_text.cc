// A report as people read it.
#include <cstdio>

#include "base/path.h"
#include "base/units.h"
#include "load/load_report.h"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

double number(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

std::string word(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get<std::string>()) : std::string();
}

std::string count(const json& object, const char* key) {
  return with_commas(static_cast<std::uint64_t>(number(object, key)));
}

std::string size(double bytes) {
  return human_size(static_cast<std::uint64_t>(bytes));
}

std::string duration(const json& seconds) {
  if (!seconds.is_number()) return "-";
  const double value = seconds.get<double>();
  if (value < 0.001) return format("%.0f us", value * 1e6);
  if (value < 1) return format("%.1f ms", value * 1e3);
  return format("%.2f s", value);
}

std::string latency_line(const json& latency) {
  std::string line;
  for (const char* const key : {"p50", "p90", "p99", "p999", "max"}) {
    const auto found = latency.find(key);
    line += std::string(line.empty() ? "" : "   ") + (std::string(key) == "p999" ? "p99.9" : key) + " " +
            duration(found == latency.end() ? json(nullptr) : *found);
  }
  return line;
}

std::string error_list(const json& errors) {
  std::string list;
  for (const auto& [code, times] : errors.items())
    list += (list.empty() ? "" : ", ") + printable(code) + " " + times.dump();
  return list.empty() ? "none" : list;
}

const json& section(const json& object, const char* key) {
  static const json kNothing = json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : kNothing;
}

std::string heading(const json& report) {
  const json& scenario = section(report, "scenario");
  const json& environment = section(report, "environment");
  std::string text = word(scenario, "op") + ", " + count(scenario, "clients") + " clients, files of " +
                     word(scenario, "size") + ", " + word(scenario, "model") + " model";
  if (number(scenario, "rate") > 0) text += format(", %.0f a second", number(scenario, "rate"));
  text += "\n" + word(environment, "cpu") + ", " + count(environment, "cores") + " cores, " +
          word(environment, "system") + "\n";
  return text;
}

std::string setup_lines(const json& report) {
  const json& setup = section(report, "setup");
  std::string text = format("setup       connected in %.1f s, files in place in %.1f s\n",
                            number(setup, "connect_seconds"), number(setup, "seed_seconds"));
  if (!section(setup, "errors").empty())
    text +=
        "            failed: " + error_list(section(setup, "errors")) + "; first: " + word(setup, "first_error") + "\n";
  return text;
}

std::string find_max_lines(const json& report) {
  const json& found = section(report, "find_max");
  if (found.empty()) return {};
  std::string text = "find-max    " + word(found, "thresholds") + ": ";
  text += number(found, "rate") > 0 ? format("held up to %.1f a second", number(found, "rate")) : "no rate held it";
  const auto probes = found.find("probes");
  if (probes == found.end() || !probes->is_array()) return text + "\n";
  for (const json& probe : *probes) {
    const auto p99 = probe.find("p99");
    text +=
        format("\n            %8.1f a second: %.1f achieved, p99 ", number(probe, "rate"), number(probe, "achieved")) +
        duration(p99 == probe.end() ? json(nullptr) : *p99) +
        (probe.value("held", json()) == true ? ", holds" : ", too much");
  }
  return text + "\n";
}

std::string result_lines(const json& results) {
  std::string text =
      "transfers   " + count(results, "transfers") +
      format(" in %.2f s, %.1f a second", number(results, "seconds"), number(results, "transfers_per_second"));
  if (number(results, "offered_per_second") > 0)
    text += format(" of %.1f offered", number(results, "offered_per_second"));
  text += "\nerrors      " + error_list(section(results, "errors"));
  if (number(results, "unfinished") > 0) text += "; unfinished " + count(results, "unfinished");
  if (number(results, "connections_lost") > 0) text += "; idle connections lost " + count(results, "connections_lost");
  for (const auto& item : section(results, "first_errors").items())
    text += "\n            the first " + printable(item.key()) + ": " +
            word(section(results, "first_errors"), item.key().c_str());
  text += "\nlatency     " + latency_line(section(results, "latency_seconds")) + "\n";
  const double wire = number(results, "wire_bytes");
  const double logical = number(results, "logical_bytes");
  text += "content     " + size(logical) + ", " + size(number(results, "throughput_bytes_per_second")) + "/s\n";
  text += "on the wire " + size(wire) + ", " + size(number(results, "wire_bytes_per_second")) + "/s";
  if (wire > 0 && logical > 0) text += format(", 1/%.1f of the content", logical / wire);
  text += "\n";
  const json& operations = section(results, "operations");
  if (operations.size() > 1) {
    for (const auto& [name, operation] : operations.items())
      text += format("  %-16s", name.c_str()) + count(operation, "transfers") + ", errors " +
              count(operation, "errors") + ", " + latency_line(section(operation, "latency_seconds")) + "\n";
  }
  const json& server = section(results, "server");
  if (!server.empty()) {
    text += format("server      %.2f s of CPU", number(server, "cpu_seconds"));
    if (number(server, "cpu_seconds_per_transfer") > 0)
      text += format(" (%.0f us a transfer)", number(server, "cpu_seconds_per_transfer") * 1e6);
    text += ", " + size(number(server, "resident_bytes")) + " resident, " +
            size(number(server, "peak_resident_bytes")) + " at most\n";
  }
  const json& generator = section(results, "generator");
  text += format("generator   %.2f s of CPU, %.2f s of its loop; loop lag ", number(generator, "cpu_seconds"),
                 number(generator, "loop_cpu_seconds")) +
          latency_line(section(generator, "loop_lag_seconds")) + "\n";
  if (!word(generator, "bottleneck_reason").empty())
    text += "WARNING     the generator itself was the bottleneck: " + word(generator, "bottleneck_reason") + "\n";
  return text;
}

}  // namespace

std::string report_text(const json& report) {
  std::string text = heading(report) + setup_lines(report);
  if (report.value("partial", json()) == true) text += "PARTIAL     the run was interrupted\n";
  const auto runs = report.find("runs");
  if (runs != report.end() && runs->is_array() && runs->size() > 1)
    text += format("%zu runs, together:\n", runs->size());
  text += find_max_lines(report);
  text += result_lines(section(report, "results"));
  const json& verify = section(report, "verify");
  if (!verify.empty()) {
    text += "verified    " + count(verify, "checked") + " files, " + count(verify, "downloaded") +
            " of them whole; lost " + count(verify, "lost");
    if (!section(verify, "errors").empty()) text += "; not checked: " + error_list(section(verify, "errors"));
    text += "\n";
    if (!word(verify, "first_lost").empty()) text += "            first: " + word(verify, "first_lost") + "\n";
  }
  if (!section(report, "cleanup_errors").empty())
    text += "cleanup     failed: " + error_list(section(report, "cleanup_errors")) + "\n";
  const auto thresholds = report.find("thresholds");
  if (thresholds == report.end() || !thresholds->is_array()) return text;
  for (const json& threshold : *thresholds)
    text += "threshold   " + word(threshold, "text") +
            (threshold.value("reached", json()) == true ? ": reached\n" : ": MISSED\n");
  return text;
}

}  // namespace millrace
