#include "server/snapshot.h"

#include <algorithm>
#include <numeric>

namespace millrace {

bool ServerSnapshot::is_ready() const {
  return std::all_of(health.begin(), health.end(), [](const HealthCheck& check) { return check.is_ok; });
}

std::uint64_t ServerSnapshot::connections() const {
  return std::accumulate(listeners.begin(), listeners.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const ListenerView& one) { return sum + one.active; });
}

std::uint64_t ServerSnapshot::requests_done() const {
  return std::accumulate(requests.begin(), requests.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& results) { return sum + results[0]; });
}

std::uint64_t ServerSnapshot::requests_failed() const {
  std::uint64_t failed = 0;
  for (const auto& results : requests) failed = std::accumulate(results.begin() + 1, results.end(), failed);
  return failed;
}

std::uint64_t ServerSnapshot::saved_bytes() const {
  return std::accumulate(transfers.begin(), transfers.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const TransferTotals& one) { return sum + one.matched + one.zero; });
}

DurationCounts ServerSnapshot::all_durations() const {
  DurationCounts all;
  for (const DurationCounts& one : durations) all.add(one);
  return all;
}

}  // namespace millrace
