// When a server gives up on a peer: nobody holds memory, or a place that others wait for, without moving bytes. One for
// each connection, told once a second how things stand; it knows no clock.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"

namespace millrace {

struct PeerRules {
  std::uint64_t min_rate = 1024;            ///< bytes a second, 0: no rule
  std::uint64_t window_seconds = 30;        ///< over which it is measured
  std::uint64_t idle_seconds = 0;           ///< without an open request, 0: no limit
  std::uint64_t memory_wait_seconds = 300;  ///< of a transfer for its turn or for room
  std::uint64_t auth_seconds = 30;          ///< from the connection's first moment until it is known who it is
  bool needs_token = false;                 ///< else HELLO is enough for that
};

class PeerWatch {
 public:
  struct Standing {
    bool waits_for_peer = false;  ///< it is the peer's turn, and it holds something here
    bool is_idle = false;         ///< there is nothing open
    std::uint64_t moved = 0;      ///< bytes of requests and content so far, in both directions
  };
  /// An error ends the connection: kTooSlow.
  std::optional<Error> look(const PeerRules& rules, std::uint64_t now_ms, const Standing& standing);

 private:
  std::optional<std::uint64_t> waits_since_;
  std::optional<std::uint64_t> idle_since_;
  std::uint64_t moved_before_ = 0;
};

}  // namespace millrace
