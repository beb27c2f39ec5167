// How late the loops and how long the queues of the workers were: asked each second, kept for whoever wants the last
// second, and summed up for whoever wants to know about the time since they asked last.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "net/lanes.h"
#include "server/serving_loop.h"
#include "server/snapshot.h"

namespace millrace {

class LoadSampler {
 public:
  LoadSampler(Lanes& lanes, const std::vector<std::unique_ptr<ServingLoop>>& loops) : lanes_(lanes), loops_(loops) {}
  /// One thread calls it, about once a second.
  void sample();

  struct LastSecond {
    std::vector<LoopView> loops;
    std::vector<QueueView> queues;
  };
  /// Any thread.
  LastSecond last() const;

  struct Sum {
    Histogram lag;  ///< microseconds
    std::array<Histogram, kWorkersCount> waits;
  };
  /// Any thread. Since the last call.
  Sum take();

 private:
  Lanes& lanes_;
  const std::vector<std::unique_ptr<ServingLoop>>& loops_;
  mutable std::mutex mutex_;
  LastSecond last_;  // guarded by mutex_
  Sum sum_;          // guarded by mutex_
};

}  // namespace millrace
