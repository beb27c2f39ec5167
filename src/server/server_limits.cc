#include "server/server_limits.h"

#include <sys/resource.h>

#include <algorithm>

namespace millrace {

namespace {
constexpr std::size_t kOwnDescriptors = 512;  ///< the catalogue, loops, workers, files that stay open between jobs
}  // namespace

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur;
}

unsigned default_loops(unsigned processors) {
  return std::clamp(processors / 2, 1U, 4U);
}

std::size_t connections_for(std::size_t descriptors) {
  const std::size_t left = descriptors - std::min(descriptors, kOwnDescriptors);
  return std::max<std::size_t>(1, left / 10 * 9);
}

}  // namespace millrace
