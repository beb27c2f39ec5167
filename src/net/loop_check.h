// How long the turns of a loop take: a callback that takes long holds up everything else on its loop.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>

namespace millrace {

/// Measures from the beginning of a turn to the next one, without what the loop waited for new events: no callback took
/// longer than the longest turn. Prints to standard error when it is dropped; the loop must turn once more then.
class LoopCheck {
 public:
  explicit LoopCheck(uv_loop_t* loop);
  ~LoopCheck();
  LoopCheck(const LoopCheck&) = delete;
  LoopCheck& operator=(const LoopCheck&) = delete;

 private:
  void turn();
  /// The time that `share` of all turns did not exceed, rounded up to a power of two microseconds.
  double share_took_ms(double share) const;

  uv_prepare_t* prepare_;
  std::uint64_t turn_began_ns_ = 0;
  std::uint64_t idle_before_ns_ = 0;
  std::uint64_t longest_ns_ = 0;
  std::uint64_t turns_ = 0;
  std::array<std::uint64_t, 40> turns_by_log2_us_{};
};

}  // namespace millrace
