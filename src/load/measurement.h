// One measured run: begins transfers on clients that are connected and have their file, in a closed or an open model,
// and takes down how they end. In the open model a transfer's time runs from the moment when it was due, not from when
// a client was free for it: a server that stalls cannot hide what it delayed (Gil Tene's "coordinated omission").
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "load/load_client.h"
#include "load/tally.h"
#include "net/timer.h"

namespace millrace {

class Measurement {
 public:
  using Clients = std::vector<std::shared_ptr<LoadClient>>;

  /// Call start() next; both on the loop. `run` is its number, from 0 on.
  Measurement(LoadContext& context, Clients& clients, std::uint32_t run);
  /// `over` is called once, on the loop, when nothing is under way any more.
  void start(std::function<void()> over);
  /// Nothing begins any more, and what is under way is given up.
  void stop();
  std::uint64_t done_count() const { return ended_; }
  RunTally& tally() { return tally_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Slot {
    std::uint64_t left = 0;             ///< closed model: transfers that it has still to begin
    std::deque<Clock::time_point> due;  ///< open model: waiting for the client
    Clock::time_point intended;
    Operation operation = Operation::kList;
    bool busy = false;
    bool resting = false;  ///< after a failure; busy too
    bool counted = false;
  };

  void tick();
  void begin_measuring();
  void admit_arrivals(Clock::time_point now);
  void begin_next(std::size_t index);
  void begin(std::size_t index, Clock::time_point intended);
  void on_done(std::size_t index, const Outcome& outcome);
  void record(const Slot& slot, const Outcome& outcome, Clock::time_point now);
  bool begins_no_more(Clock::time_point now) const;
  void finish();
  Operation choose();
  std::pair<std::uint64_t, std::uint64_t> wire_bytes() const;

  LoadContext& context_;
  const LoadOptions& options_;
  Clients& clients_;
  SeededRandom random_;
  std::vector<Slot> slots_;
  std::deque<std::pair<Clock::time_point, std::size_t>> resting_;  ///< clients after a failure
  std::function<void()> over_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<Timer> lag_timer_;
  RunTally tally_;
  Clock::time_point started_;
  Clock::time_point measured_from_;
  Clock::time_point until_;
  Clock::time_point last_end_;
  Clock::time_point last_expiry_;
  Clock::time_point last_lag_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t to_begin_ = 0;  ///< of all clients, where their number is given
  std::uint64_t ended_ = 0;
  std::size_t ramped_ = 0;
  std::size_t busy_ = 0;
  std::size_t queued_ = 0;
  std::pair<std::uint64_t, std::uint64_t> wire_before_{};
  double loop_cpu_before_ = 0;
  double cpu_before_ = 0;
  bool measuring_ = false;
  bool finished_ = false;
};

}  // namespace millrace
