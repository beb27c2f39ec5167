// The machine that the server runs on: its disk, and its starts, ends, crashes and power cuts.
#pragma once

#include "simulation/simulated_disk.h"
#include "simulation/simulation.h"
#include "store/directory_store.h"

namespace millrace::simulation {

class SimulatedMachine {
 public:
  explicit SimulatedMachine(Simulation& simulation);

  SimulatedVolume& volume() { return volume_; }
  /// Opens the store, through as many crashes on the way as strike; nothing that was lost is missed by the model.
  /// `may_crash`: how often at most.
  std::shared_ptr<LocalStore> start(int may_crash);
  /// After the store is gone: what was not flushed is lost, or the process only was killed.
  void end_run();
  /// The store said that it needs a restart.
  bool has_stopped() const { return has_stopped_; }
  /// Where faults are wanted: random ones, and a moment when the machine stops, so many operations away at most.
  void arm(std::uint64_t most_operations);

  static constexpr std::uint64_t kLeastPartialBytes = 16u << 10;

 private:
  Simulation& simulation_;
  SimulatedVolume volume_;
  std::uint64_t boot_ = 1;
  bool has_stopped_ = false;
  PartialLimits partials_;
  std::optional<std::uint64_t> epoch_;
};

/// Every path has what the model allows, on the disk and through the store; listing and changes agree.
void check_store(Simulation& simulation, SimulatedVolume& volume, LocalStore& store);
/// No faults any more: staging empties, every path can be written.
void check_end(Simulation& simulation, SimulatedVolume& volume, LocalStore& store);

}  // namespace millrace::simulation
