#include "base/peer_watch.h"

#include <string>

namespace millrace {

std::optional<Error> PeerWatch::look(const PeerRules& rules, std::uint64_t now_ms, const Standing& standing) {
  if (!standing.is_idle) idle_since_.reset();
  if (standing.is_idle && !idle_since_) idle_since_ = now_ms;
  if (rules.idle_seconds > 0 && idle_since_ && now_ms - *idle_since_ >= rules.idle_seconds * 1000)
    return Error{Code::kTooSlow, "Nothing was asked for in " + std::to_string(rules.idle_seconds) +
                                     " seconds, so the server ended the connection; connect again."};
  if (rules.min_rate == 0 || !standing.waits_for_peer) {
    waits_since_.reset();
    return std::nullopt;
  }
  if (!waits_since_) {
    waits_since_ = now_ms;
    moved_before_ = standing.moved;
    return std::nullopt;
  }
  if (now_ms - *waits_since_ < rules.window_seconds * 1000) return std::nullopt;
  const std::uint64_t moved = standing.moved - moved_before_;
  const std::uint64_t wanted = rules.min_rate * rules.window_seconds;
  if (moved < wanted)
    return Error{Code::kTooSlow, "The server waited " + std::to_string(rules.window_seconds) + " seconds for " +
                                     std::to_string(moved) + " bytes, where at least " + std::to_string(wanted) +
                                     " should have moved; try again over a faster connection."};
  waits_since_ = now_ms;
  moved_before_ = standing.moved;
  return std::nullopt;
}

}  // namespace millrace
