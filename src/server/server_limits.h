// What a server takes on, each with its default. docs/OPERATIONS.md has the same table.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/peer_watch.h"

namespace millrace {

inline constexpr unsigned kMaxLoops = 256;
inline constexpr std::size_t kMaxConnections = 1'000'000;

struct ServerLimits {
  unsigned loops = 1;                        ///< threads that serve connections; see default_loops()
  std::size_t max_connections = 0;           ///< past that a client is told that the server is full
  std::size_t max_refusals = 64;             ///< clients that are being told so at once; then accepting waits
  std::uint64_t memory_budget = 256u << 20;  ///< bytes of all buffers
  PeerRules peers;
  std::size_t max_http_connections = 1024;  ///< past that a connection is closed at once
  std::uint64_t http_idle_seconds = 60;     ///< between two requests, 0: no limit
  std::uint64_t reserve_bytes = 64u << 20;  ///< free ones on the disk; below, the server is not ready
};

/// Raises the process's soft limit of descriptors to its hard one and returns what it is then.
std::size_t raise_descriptor_limit();

/// Half as many as there are processors, at least one and at most four: the workers need the others.
unsigned default_loops(unsigned processors);

/// Connections that `descriptors` are enough for: files of transfers are open only while a job has them.
std::size_t connections_for(std::size_t descriptors);

}  // namespace millrace
