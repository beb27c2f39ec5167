// What all parts of one simulation share, and how it fails.
#pragma once

#include <memory>
#include <string>

#include "base/random.h"
#include "simulation/file_model.h"
#include "simulation/simulated_clock.h"
#include "simulation/trace.h"

namespace millrace::simulation {

struct Simulation {
  Simulation(std::uint64_t given_seed, bool prints) : seed(given_seed), trace(prints), random(given_seed) {}
  const std::uint64_t seed;
  Trace trace;
  SimulatedClock clock;
  SeededRandom random;
  FileModel model;

  /// A promise was broken: says so with the command that shows it again, and ends the process.
  [[noreturn]] void fail(const std::string& what);
  void note(const std::string& what) { trace.line(clock.now(), what); }
  /// For lines that cost something to make.
  bool is_traced() const { return trace.prints(); }
  /// One in `times`.
  bool chance(std::uint64_t times) { return random.below(times) == 0; }
};

/// One source of random numbers for all who get a copy.
inline Random shared_random(std::uint64_t seed) {
  return [random = std::make_shared<SeededRandom>(seed)] { return (*random)(); };
}

}  // namespace millrace::simulation
