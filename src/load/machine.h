// What the run happens on: the machine, its limits, and what a process has used of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"

namespace millrace {

struct Environment {
  std::string system;  ///< kernel and release
  std::string cpu;
  std::uint32_t cores = 0;  ///< that this process may use
  std::uint64_t memory_bytes = 0;
  std::string build;  ///< of the generator: "release", or "debug" with assertions or without optimisation
};
Environment this_environment();

/// Of a process, by what /proc says of it. Nothing where it is not there.
struct ProcessUsage {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t peak_resident_bytes = 0;
};
std::optional<ProcessUsage> usage_of(std::uint32_t pid);
ProcessUsage own_usage();
/// CPU time of the calling thread.
double thread_cpu_seconds();

/// Raises the soft limit of descriptors as far as needed and allowed, and looks at the range of local ports. Errors:
/// kUsage with what would help.
Status prepare_for_connections(std::uint64_t connections);

}  // namespace millrace
