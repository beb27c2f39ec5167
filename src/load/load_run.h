// `millrace-load run`, phase by phase: connect, put the files in place, measure (once or several times), compare what
// the server has with what it acknowledged, clean up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "load/tally.h"

namespace millrace {

struct SetupTally {
  ErrorCounts errors;  ///< of clients that could not connect or put their file in place
  std::string first_error;
  double connect_seconds = 0;
  double seed_seconds = 0;
};

struct VerifyTally {
  std::uint64_t checked = 0;
  std::uint64_t downloaded = 0;  ///< of those, whole
  std::uint64_t lost = 0;        ///< the server has something else than what it acknowledged
  ErrorCounts errors;            ///< of clients that could not be checked
  std::string first_lost;
  double seconds = 0;
};

/// One rate that --find-max tried.
struct RateProbe {
  double rate = 0;      ///< offered
  double achieved = 0;  ///< transfers a second
  std::optional<double> p99_seconds;
  bool held = false;
};

struct LoadOutcome {
  SetupTally setup;
  std::vector<RunTally> runs;     ///< with --find-max only that of the highest rate that held, or the last one
  std::vector<RateProbe> probes;  ///< of --find-max
  std::optional<VerifyTally> verify;
  ErrorCounts cleanup_errors;
  std::size_t slow_clients_left = 0;  ///< still connected at the end of the last run
  int signal = 0;                     ///< that ended it early
  std::uint64_t generator_peak_bytes = 0;
};

/// Blocks. SIGINT and SIGTERM end it early with what there is. Errors: kNetwork when there is no server.
Result<LoadOutcome> run_load(const LoadOptions& options);

}  // namespace millrace
