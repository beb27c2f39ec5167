#include "load/load_report.h"

#include <algorithm>
#include <fstream>
#include <numeric>

#include "base/path.h"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;

/// From here on the generator measured itself at least as much as the server.
constexpr double kBusyLoop = 0.9;
constexpr double kLaggingSeconds = 0.1;
constexpr double kGateShare = 0.5;

double seconds_of(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) * 1e-6;
}

json quantile(const Histogram& histogram, double quantile) {
  const auto value = histogram.carried_value_at(quantile);
  return value ? json(seconds_of(*value)) : json(nullptr);
}

json latency(const Histogram& histogram) {
  const bool any = histogram.count() > 0;
  return {{"p50", quantile(histogram, 0.5)},
          {"p90", quantile(histogram, 0.9)},
          {"p99", quantile(histogram, 0.99)},
          {"p999", quantile(histogram, 0.999)},
          {"max", any ? json(seconds_of(histogram.max())) : json(nullptr)},
          {"mean", any ? json(histogram.mean() * 1e-6) : json(nullptr)}};
}

/// Objects even where they are empty, and whatever a server's sentence holds.
json counts(const ErrorCounts& errors) {
  json object = json::object();
  for (const auto& [code, count] : errors) object[code] = count;
  return object;
}

json sentences(const std::map<std::string, std::string>& by_code) {
  json object = json::object();
  for (const auto& [code, sentence] : by_code) object[code] = printable(sentence);
  return object;
}

std::uint64_t sum_of(const ErrorCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& count) { return sum + count.second; });
}

void merge(OperationTally& into, const OperationTally& tally) {
  into.transfers += tally.transfers;
  into.logical_bytes += tally.logical_bytes;
  into.latency.merge(tally.latency);
  for (const auto& [code, count] : tally.errors) into.errors[code] += count;
  into.first_sentences.insert(tally.first_sentences.begin(), tally.first_sentences.end());
}

OperationTally all_operations(const RunTally& run) {
  OperationTally all;
  for (const auto& [operation, tally] : run.operations) {
    merge(all, tally);
  }
  return all;
}

json server_usage(const RunTally& run, std::uint64_t transfers) {
  if (!run.server_before || !run.server_after) return nullptr;
  const double cpu = run.server_after->cpu_seconds - run.server_before->cpu_seconds;
  return {{"cpu_seconds", cpu},
          {"cpu_seconds_per_transfer", transfers > 0 ? json(cpu / static_cast<double>(transfers)) : json(nullptr)},
          {"resident_bytes_before", run.server_before->resident_bytes},
          {"resident_bytes", run.server_after->resident_bytes},
          {"peak_resident_bytes", run.server_after->peak_resident_bytes}};
}

/// Why the figures are the generator's own, or nothing.
std::string bottleneck(const RunTally& run, const OperationTally& all) {
  const GeneratorTally& own = run.generator;
  if (run.seconds > 0 && own.loop_cpu_seconds > kBusyLoop * run.seconds)
    return "its loop was busy for over " + std::to_string(static_cast<int>(kBusyLoop * 100)) + " % of the time";
  const double lag = seconds_of(own.loop_lag.value_at(0.99));
  if (lag > kLaggingSeconds)
    return "its loop came up to " + std::to_string(static_cast<int>(lag * 1000)) + " ms late (p99)";
  const double gate = seconds_of(own.gate_waits.value_at(0.5));
  if (gate > kGateShare * seconds_of(all.latency.value_at(0.5)) && gate > kLaggingSeconds)
    return "half of the transfers waited over " + std::to_string(static_cast<int>(gate * 1000)) +
           " ms for their turn to hash their file";
  return {};
}

json generator(const RunTally& run, const OperationTally& all) {
  const std::string why = bottleneck(run, all);
  return {{"cpu_seconds", run.generator.cpu_seconds},
          {"loop_cpu_seconds", run.generator.loop_cpu_seconds},
          {"loop_lag_seconds", latency(run.generator.loop_lag)},
          {"hash_wait_seconds", latency(run.generator.gate_waits)},
          {"bottleneck", !why.empty()},
          {"bottleneck_reason", why.empty() ? json(nullptr) : json(why)}};
}

json per_second(const RunTally& run) {
  json seconds = json::array();
  for (const SecondTally& second : run.per_second) {
    const bool any = second.transfers > 0;
    seconds.push_back(
        {{"transfers", second.transfers},
         {"errors", second.errors},
         {"logical_bytes", second.logical_bytes},
         {"mean", any ? json(seconds_of(second.latency_sum) / static_cast<double>(second.transfers)) : json(nullptr)},
         {"max", any ? json(seconds_of(second.latency_max)) : json(nullptr)}});
  }
  return seconds;
}

json histogram(const Histogram& latency) {
  json cells = json::array();
  for (const Histogram::Cell& cell : latency.cells())
    cells.push_back(json::array({seconds_of(cell.highest_equivalent), cell.count}));
  return cells;
}

json run_results(const RunTally& run) {
  const OperationTally all = all_operations(run);
  const std::uint64_t wire = run.sent_bytes + run.received_bytes;
  const auto rate = [&run](std::uint64_t count) {
    return run.seconds > 0 ? static_cast<double>(count) / run.seconds : 0.0;
  };
  json results = {{"transfers", all.transfers},
                  {"errors", counts(all.errors)},
                  {"first_errors", sentences(all.first_sentences)},
                  {"lost", nullptr},
                  {"unfinished", run.unfinished},
                  {"connections_lost", run.connections_lost},
                  {"seconds", run.seconds},
                  {"logical_bytes", all.logical_bytes},
                  {"wire_bytes", wire},
                  {"sent_bytes", run.sent_bytes},
                  {"received_bytes", run.received_bytes},
                  {"throughput_bytes_per_second", rate(all.logical_bytes)},
                  {"wire_bytes_per_second", rate(wire)},
                  {"transfers_per_second", rate(all.transfers)},
                  {"offered_per_second", run.offered_rate > 0 ? json(run.offered_rate) : json(nullptr)},
                  {"latency_seconds", latency(all.latency)},
                  {"server", server_usage(run, all.transfers)},
                  {"generator", generator(run, all)}};
  json operations = json::object();
  for (const auto& [operation, tally] : run.operations) {
    operations[operation_name(operation)] = {{"transfers", tally.transfers},
                                             {"errors", sum_of(tally.errors)},
                                             {"logical_bytes", tally.logical_bytes},
                                             {"latency_seconds", latency(tally.latency)}};
  }
  results["operations"] = std::move(operations);
  results["per_second"] = per_second(run);
  results["histogram"] = histogram(all.latency);
  return results;
}

/// All runs as if they were one.
RunTally merged(const std::vector<RunTally>& runs) {
  if (runs.size() == 1) return runs.front();
  RunTally all;
  for (const RunTally& run : runs) {
    for (const auto& [operation, tally] : run.operations) {
      merge(all.operations[operation], tally);
    }
    all.per_second.insert(all.per_second.end(), run.per_second.begin(), run.per_second.end());
    all.seconds += run.seconds;
    all.offered_rate = run.offered_rate;
    all.unfinished += run.unfinished;
    all.connections_lost += run.connections_lost;
    all.sent_bytes += run.sent_bytes;
    all.received_bytes += run.received_bytes;
    all.generator.loop_lag.merge(run.generator.loop_lag);
    all.generator.gate_waits.merge(run.generator.gate_waits);
    all.generator.loop_cpu_seconds += run.generator.loop_cpu_seconds;
    all.generator.cpu_seconds += run.generator.cpu_seconds;
  }
  if (!runs.empty()) {
    all.server_before = runs.front().server_before;
    all.server_after = runs.back().server_after;
  }
  return all;
}

json environment(const LoadOptions& options) {
  const Environment here = this_environment();
  return {{"system", here.system},      {"cpu", here.cpu},
          {"cores", here.cores},        {"memory_bytes", here.memory_bytes},
          {"build", here.build},        {"version", MILLRACE_VERSION},
          {"server", options.url_text}, {"server_pid", options.server_pid ? json(*options.server_pid) : json(nullptr)}};
}

std::string texts(const std::vector<Threshold>& thresholds) {
  std::string list;
  for (const Threshold& one : thresholds) list += (list.empty() ? "" : ",") + one.text;
  return list;
}

json find_max(const LoadOptions& options, const std::vector<RateProbe>& probes) {
  if (options.find_max.empty()) return nullptr;
  json best = nullptr;
  json list = json::array();
  for (const RateProbe& probe : probes) {
    if (probe.held && (best.is_null() || best.get<double>() < probe.rate)) best = probe.rate;
    list.push_back({{"rate", probe.rate},
                    {"achieved", probe.achieved},
                    {"p99", probe.p99_seconds ? json(*probe.p99_seconds) : json(nullptr)},
                    {"held", probe.held}});
  }
  return {{"thresholds", texts(options.find_max)}, {"rate", best}, {"probes", std::move(list)}};
}

json scenario(const LoadOptions& options) {
  const auto optional_seconds = [](const std::optional<Seconds>& value) {
    return value ? json(value->count()) : json(nullptr);
  };
  json mix = json::object();
  for (const auto& [operation, share] : options.mix) mix[operation_name(operation)] = share;
  return {{"op", operation_name(options.operation)},
          {"mix", mix},
          {"model", options.model == Model::kOpen ? "open" : "closed"},
          {"rate", options.rate > 0 ? json(options.rate) : json(nullptr)},
          {"clients", options.clients},
          {"slow_clients", options.slow_clients},
          {"loops", options.loops},
          {"transfers", options.transfers ? json(*options.transfers) : json(nullptr)},
          {"measure_seconds", optional_seconds(options.measure)},
          {"find_max", options.find_max.empty() ? json(nullptr) : json(texts(options.find_max))},
          {"ramp_seconds", options.ramp.count()},
          {"warmup_seconds", options.warmup.count()},
          {"size", options.size_text},
          {"change", options.change_text},
          {"edits", options.edits.edits},
          {"edit_size", options.edits.edit_bytes},
          {"seed", options.seed},
          {"repeat", options.repeat}};
}

double number_of(const json& value) {
  return value.is_number() ? value.get<double>() : 0;
}

}  // namespace

json make_report(const LoadOptions& options, const LoadOutcome& outcome, std::int64_t started) {
  json report = {{"schema", kReportSchema},
                 {"started", started},
                 {"partial", outcome.signal != 0},
                 {"stopped_by_signal", outcome.signal != 0 ? json(outcome.signal) : json(nullptr)},
                 {"environment", environment(options)},
                 {"scenario", scenario(options)},
                 {"setup",
                  {{"connect_seconds", outcome.setup.connect_seconds},
                   {"seed_seconds", outcome.setup.seed_seconds},
                   {"errors", counts(outcome.setup.errors)},
                   {"first_error", printable(outcome.setup.first_error)}}}};
  report["results"] = run_results(merged(outcome.runs));
  report["verify"] = nullptr;
  if (outcome.verify) {
    const VerifyTally& verify = *outcome.verify;
    report["results"]["lost"] = verify.lost;
    report["verify"] = {{"seconds", verify.seconds},
                        {"checked", verify.checked},
                        {"downloaded", verify.downloaded},
                        {"lost", verify.lost},
                        {"first_lost", printable(verify.first_lost)},
                        {"errors", counts(verify.errors)}};
  }
  report["find_max"] = find_max(options, outcome.probes);
  report["cleanup_errors"] = counts(outcome.cleanup_errors);
  report["slow_clients_left"] = outcome.slow_clients_left;
  report["generator_peak_resident_bytes"] = outcome.generator_peak_bytes;
  json runs = json::array();
  for (const RunTally& run : outcome.runs) runs.push_back(run_results(run));
  report["runs"] = std::move(runs);
  json thresholds = json::array();
  for (const Threshold& threshold : options.thresholds)
    thresholds.push_back({{"text", threshold.text}, {"reached", reaches(report["results"], threshold)}});
  report["thresholds"] = std::move(thresholds);
  return report;
}

Result<json> read_report(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(Code::kUsage, "The report '" + path + "' cannot be read.");
  json report = json::parse(file, nullptr, false);
  const bool known = report.is_object() && report.value("schema", json()) == kReportSchema &&
                     report.value("results", json()).is_object() && report.value("runs", json()).is_array() &&
                     report.value("scenario", json()).is_object() && report.value("environment", json()).is_object();
  if (!known) return fail(Code::kUsage, "'" + path + "' is not a report of the kind " + kReportSchema + ".");
  return report;
}

bool reaches(const json& results, const Threshold& threshold) {
  using Metric = Threshold::Metric;
  const auto judge = [&threshold](const json& value) {
    if (!value.is_number()) return false;
    const double measured = value.get<double>();
    return threshold.relation == Threshold::Relation::kBelow ? measured < threshold.limit : measured > threshold.limit;
  };
  const json& latencies = results.at("latency_seconds");
  double errors = number_of(results.at("unfinished")) + number_of(results.at("connections_lost"));
  for (const json& count : results.at("errors")) errors += number_of(count);
  switch (threshold.metric) {
    case Metric::kP50:
      return judge(latencies.at("p50"));
    case Metric::kP90:
      return judge(latencies.at("p90"));
    case Metric::kP99:
      return judge(latencies.at("p99"));
    case Metric::kP999:
      return judge(latencies.at("p999"));
    case Metric::kMax:
      return judge(latencies.at("max"));
    case Metric::kMean:
      return judge(latencies.at("mean"));
    case Metric::kErrors:
      return judge(errors);
    case Metric::kErrorShare: {
      const double all = errors + number_of(results.at("transfers"));
      return judge(all > 0 ? json(errors / all) : json(nullptr));
    }
    case Metric::kLost:
      return judge(results.at("lost"));
    case Metric::kRate:
      return judge(results.at("transfers_per_second"));
    case Metric::kThroughput:
      return judge(results.at("throughput_bytes_per_second"));
  }
  return false;
}

bool reaches(const RunTally& run, const std::vector<Threshold>& thresholds) {
  const json results = run_results(run);
  return std::all_of(thresholds.begin(), thresholds.end(),
                     [&results](const Threshold& one) { return reaches(results, one); });
}

}  // namespace millrace
