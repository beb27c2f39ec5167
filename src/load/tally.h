// What a run has measured.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "load/load_options.h"
#include "load/machine.h"

namespace millrace {

using ErrorCounts = std::map<std::string, std::uint64_t>;  ///< by the code's name

struct OperationTally {
  std::uint64_t transfers = 0;  ///< that ended well
  std::uint64_t logical_bytes = 0;
  ErrorCounts errors;
  std::map<std::string, std::string> first_sentences;  ///< of errors, by the code's name
  Histogram latency;                                   ///< microseconds, of transfers that ended well
};

struct SecondTally {
  std::uint64_t transfers = 0;
  std::uint64_t errors = 0;
  std::uint64_t logical_bytes = 0;
  std::uint64_t latency_sum = 0;  ///< microseconds
  std::uint64_t latency_max = 0;
};

/// How the generator itself fared: whether it measured the server or itself.
struct GeneratorTally {
  Histogram loop_lag;    ///< microseconds that a timer came late
  Histogram gate_waits;  ///< microseconds that clients waited for their turn to hash
  double loop_cpu_seconds = 0;
  double cpu_seconds = 0;
};

struct RunTally {
  std::map<Operation, OperationTally> operations;
  std::vector<SecondTally> per_second;
  double seconds = 0;
  double offered_rate = 0;             ///< of an open model, else 0
  std::uint64_t unfinished = 0;        ///< were due or under way when the run ended
  std::uint64_t connections_lost = 0;  ///< while nothing was under way on them
  std::uint64_t sent_bytes = 0;        ///< on the wire, by all clients
  std::uint64_t received_bytes = 0;
  GeneratorTally generator;
  std::optional<ProcessUsage> server_before;
  std::optional<ProcessUsage> server_after;
};

}  // namespace millrace
