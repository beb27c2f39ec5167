#include "load/load_parts.h"

#include <algorithm>

namespace millrace {

namespace {

void add(ErrorCounts& into, const ErrorCounts& counts) {
  for (const auto& [code, count] : counts) into[code] += count;
}

void keep_first(std::string& into, const std::string& sentence) {
  if (into.empty()) into = sentence;
}

void add_operation(OperationTally& into, const OperationTally& part) {
  into.transfers += part.transfers;
  into.logical_bytes += part.logical_bytes;
  add(into.errors, part.errors);
  into.first_sentences.insert(part.first_sentences.begin(), part.first_sentences.end());
  into.latency.merge(part.latency);
}

void add_second(SecondTally& into, const SecondTally& part) {
  into.transfers += part.transfers;
  into.errors += part.errors;
  into.logical_bytes += part.logical_bytes;
  into.latency_sum += part.latency_sum;
  into.latency_max = std::max(into.latency_max, part.latency_max);
}

void add_run(RunTally& into, const RunTally& part) {
  for (const auto& [operation, tally] : part.operations) add_operation(into.operations[operation], tally);
  if (into.per_second.size() < part.per_second.size()) into.per_second.resize(part.per_second.size());
  for (std::size_t i = 0; i < part.per_second.size(); ++i) add_second(into.per_second[i], part.per_second[i]);
  into.seconds = std::max(into.seconds, part.seconds);
  into.offered_rate += part.offered_rate;
  into.unfinished += part.unfinished;
  into.connections_lost += part.connections_lost;
  into.sent_bytes += part.sent_bytes;
  into.received_bytes += part.received_bytes;
  into.generator.loop_lag.merge(part.generator.loop_lag);
  into.generator.gate_waits.merge(part.generator.gate_waits);
  // The busiest loop tells whether the generator was the bottleneck; the process's CPU time is the same for all.
  into.generator.loop_cpu_seconds = std::max(into.generator.loop_cpu_seconds, part.generator.loop_cpu_seconds);
  into.generator.cpu_seconds = std::max(into.generator.cpu_seconds, part.generator.cpu_seconds);
  if (part.server_after && into.server_after && part.server_after->cpu_seconds > into.server_after->cpu_seconds)
    into.server_after = part.server_after;
}

void add_verify(VerifyTally& into, const VerifyTally& part) {
  into.checked += part.checked;
  into.downloaded += part.downloaded;
  into.lost += part.lost;
  add(into.errors, part.errors);
  keep_first(into.first_lost, part.first_lost);
  into.seconds = std::max(into.seconds, part.seconds);
}

/// How many of `all` equal shares' remainders fall to the clients from `first` on: client i gets one more when it is
/// below the remainder.
std::uint64_t share_of(std::uint64_t all, std::uint32_t clients, std::uint32_t first, std::uint32_t count) {
  const std::uint64_t more = all % clients;
  const std::uint64_t end = std::min<std::uint64_t>(std::uint64_t{first} + count, more);
  return all / clients * count + (end > first ? end - first : 0);
}

}  // namespace

LoadPart part_of(const LoadOptions& options, std::uint32_t number) {
  const auto cut = [&options](std::uint32_t all, std::uint32_t part) {
    return static_cast<std::uint32_t>(std::uint64_t{all} * part / options.loops);
  };
  LoadPart part{options, cut(options.clients, number)};
  part.options.clients = cut(options.clients, number + 1) - part.first_client;
  part.options.slow_clients = cut(options.slow_clients, number + 1) - cut(options.slow_clients, number);
  part.options.rate = options.rate * part.options.clients / options.clients;
  if (options.transfers)
    part.options.transfers = share_of(*options.transfers, options.clients, part.first_client, part.options.clients);
  part.options.quiet = options.quiet || number > 0;
  return part;
}

LoadOutcome together(const std::vector<LoadOutcome>& parts) {
  LoadOutcome all = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const LoadOutcome& part = parts[i];
    add(all.setup.errors, part.setup.errors);
    keep_first(all.setup.first_error, part.setup.first_error);
    all.setup.connect_seconds = std::max(all.setup.connect_seconds, part.setup.connect_seconds);
    all.setup.seed_seconds = std::max(all.setup.seed_seconds, part.setup.seed_seconds);
    if (all.runs.size() < part.runs.size()) all.runs.resize(part.runs.size());
    for (std::size_t run = 0; run < part.runs.size(); ++run) add_run(all.runs[run], part.runs[run]);
    if (part.verify) {
      if (!all.verify) all.verify.emplace();
      add_verify(*all.verify, *part.verify);
    }
    add(all.cleanup_errors, part.cleanup_errors);
    all.slow_clients_left += part.slow_clients_left;
    all.signal = std::max(all.signal, part.signal);
    all.generator_peak_bytes = std::max(all.generator_peak_bytes, part.generator_peak_bytes);
  }
  return all;
}

}  // namespace millrace
