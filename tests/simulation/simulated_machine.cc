#include "simulation/simulated_machine.h"

#include <cstdio>
#include <cstdlib>

#include "codec/sha256.h"
#include "simulation/simulated_vfs.h"

namespace millrace::simulation {

void Simulation::fail(const std::string& what) {
  std::printf("seed %llu fails: %s\nagain: test_simulation --seed %llu --trace\n",
              static_cast<unsigned long long>(seed), what.c_str(), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::_Exit(1);
}

SimulatedMachine::SimulatedMachine(Simulation& simulation)
    : simulation_(simulation), volume_(simulation.clock, simulation.trace, simulation.random()) {
  use_for_sqlite(&volume_);
  make_data_folder(volume_);
  partials_.least_bytes = kLeastPartialBytes;
  if (simulation.chance(3)) partials_.count = 1 + simulation.random.below(3);
  if (simulation.chance(3)) partials_.bytes = 64u << 10;
}

void SimulatedMachine::arm(std::uint64_t most_operations) {
  SeededRandom& random = simulation_.random;
  volume_.faults.io_errors = simulation_.chance(4) ? random.below(20) : 0;
  volume_.faults.full = simulation_.chance(4) ? random.below(200) : 0;
  volume_.faults.stop_after = most_operations == 0 ? UINT64_MAX : random.below(most_operations);
}

std::shared_ptr<LocalStore> SimulatedMachine::start(int may_crash) {
  for (;;) {
    StoreOptions options;
    options.random = SeededRandom(simulation_.random());
    options.hasher = make_sha256;
    options.wall_clock_ns = [this] { return simulation_.clock.now(); };
    options.report = [this](const std::string& sentence) {
      simulation_.note("server: " + sentence);
      if (sentence.find("damaged") != std::string::npos) simulation_.fail(sentence);
      if (sentence.find("stopped writing") != std::string::npos) has_stopped_ = true;
    };
    options.boot = boot_;
    options.committing = Committing::kByHand;
    options.partials = partials_;
    has_stopped_ = false;
    if (may_crash > 0 && simulation_.chance(2)) arm(300);
    auto opened = open_directory_store(DataFolder{std::make_unique<SimulatedDisk>(volume_), File()}, "catalogue.sqlite",
                                       std::move(options));
    if (opened && !volume_.is_dead()) {
      volume_.faults = {};
      simulation_.model.seal_all();
      simulation_.note("the store is open");
      return std::shared_ptr<LocalStore>(std::move(*opened));
    }
    if (!opened) simulation_.note("the store does not open: " + opened.error().sentence);
    if (may_crash == 0) simulation_.fail("the store does not open: " + (opened ? "dead" : opened.error().sentence));
    --may_crash;
    if (opened) opened->reset();
    end_run();
  }
}

void SimulatedMachine::end_run() {
  const bool loses_power = volume_.is_dead() && simulation_.chance(2);
  if (loses_power) {
    volume_.cut_power();
    ++boot_;
  }
  volume_.restart();
}

}  // namespace millrace::simulation
