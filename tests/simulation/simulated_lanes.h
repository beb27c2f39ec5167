// The workers and the loop of a simulated process. Jobs begin as the real fair queue has it, as many at once as there
// would be threads; each is done in one moment, some time after it began, and its end is told to the loop later still.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>

#include "base/fair_queue.h"
#include "net/lanes.h"
#include "simulation/simulation.h"

namespace millrace::simulation {

/// Letters in their order, opened some time after they came.
class SimulatedLoop : public std::enable_shared_from_this<SimulatedLoop> {
 public:
  SimulatedLoop(Simulation& simulation, SimulatedClock::Owner owner) : simulation_(simulation), owner_(owner) {}
  void post(std::function<void()> letter);
  /// Nothing is opened any more.
  void end();
  Simulation& simulation() { return simulation_; }
  SimulatedClock::Owner owner() const { return owner_; }

 private:
  void open_letters();
  Simulation& simulation_;
  const SimulatedClock::Owner owner_;
  std::deque<std::function<void()>> letters_;
  bool is_waiting_ = false;
  bool has_ended_ = false;
};

class SimulatedLanes {
 public:
  using Owner = FairQueue<int>::Owner;
  SimulatedLanes(std::shared_ptr<SimulatedLoop> loop, const LaneSizes& sizes);

  Owner new_owner() { return next_owner_++; }
  void run(Workers workers, Owner owner, Urgency urgency, std::function<void()> work, std::function<void()> done);
  /// Jobs that have not begun go.
  void drop(Owner owner);
  std::size_t jobs() const;

 private:
  struct Job {
    std::function<void()> work;
    std::function<void()> done;
  };
  struct Lane {
    explicit Lane(std::size_t most_of_one_owner, std::size_t most_bulk, unsigned size)
        : queue(most_of_one_owner, most_bulk), threads(size) {}
    FairQueue<Job> queue;
    unsigned threads;
    unsigned running = 0;
  };
  void begin_jobs(Lane& lane);
  std::shared_ptr<SimulatedLoop> loop_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Owner next_owner_ = 1;
};

/// How long something takes: most often little.
std::int64_t some_time(SeededRandom& random);

}  // namespace millrace::simulation
