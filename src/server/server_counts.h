// What a server counts beside what its parts know themselves. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/shared_tally.h"

namespace millrace {

/// Bytes that went through SHA-256.
struct HashCounts {
  SharedTally transfers;
  SharedTally http;
  SharedTally store;
  SharedTally scrub;
};

struct ServerCounts {
  std::atomic<std::uint64_t> connections{0};        ///< taken so far, by HTTP too: the last one's number
  std::atomic<std::uint64_t> sync_connections{0};   ///< those of the protocol's own listener
  std::atomic<std::uint64_t> http_connections{0};   ///< taken so far
  std::atomic<std::uint64_t> refused{0};            ///< connections: too many, or no descriptors left
  std::atomic<std::uint64_t> not_authenticated{0};  ///< connections: a token that does not count, or none
  std::atomic<std::uint64_t> authenticated{0};      ///< tokens that counted
  std::atomic<std::uint64_t> too_slow{0};           ///< connections that were ended for it
  std::atomic<std::uint64_t> requests_busy{0};      ///< requests: too many at once, or no memory for them in time
};

}  // namespace millrace
