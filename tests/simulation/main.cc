// Runs simulations: a seed decides everything. A seed that fails is named with the command that shows it again.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "simulation/network_story.h"
#include "simulation/store_story.h"

namespace {

struct Options {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  unsigned jobs = 1;
  bool trace = false;
  bool twice = false;  ///< each seed again: both must have the same trace
};

int usage() {
  std::fprintf(stderr,
               "usage: test_simulation [--seed S | --from S --seeds N] [--jobs N] [--twice] [--trace]\n"
               "  --twice  runs each seed twice and compares what happened\n");
  return 2;
}

std::uint64_t run(std::uint64_t seed, bool trace) {
  millrace::simulation::Simulation simulation(seed, trace);
  // The store's stories cost a fifth, and meet more crashes.
  if (seed % 2 == 0) {
    millrace::simulation::run_store_story(simulation);
  } else {
    millrace::simulation::run_network_story(simulation);
  }
  return simulation.trace.digest();
}

int run_share(const Options& options, unsigned share) {
  for (std::uint64_t i = share; i < options.seeds; i += options.jobs) {
    const std::uint64_t seed = options.from + i;
    const std::uint64_t digest = run(seed, options.trace);
    if (options.seeds == 1)
      std::printf("seed %llu: trace %016llx\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(digest));
    if (options.twice && run(seed, false) != digest) {
      std::printf("seed %llu does not replay\n", static_cast<unsigned long long>(seed));
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace" || name == "--twice") {
      (name == "--trace" ? options.trace : options.twice) = true;
      continue;
    }
    if (i + 1 == argc) return usage();
    const std::uint64_t value = std::strtoull(argv[++i], nullptr, 10);
    if (name == "--seed") {
      options.from = value;
      options.seeds = 1;
    } else if (name == "--from") {
      options.from = value;
    } else if (name == "--seeds") {
      options.seeds = value;
    } else if (name == "--jobs" && value > 0) {
      options.jobs = static_cast<unsigned>(value);
    } else {
      return usage();
    }
  }
  if (options.jobs == 1) return run_share(options, 0);
  std::vector<pid_t> children;
  for (unsigned share = 0; share < options.jobs; ++share) {
    const pid_t child = fork();
    if (child == 0) std::_Exit(run_share(options, share));
    children.push_back(child);
  }
  int worst = 0;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) worst = 1;
  }
  if (worst == 0)
    std::printf("%llu seeds from %llu pass\n", static_cast<unsigned long long>(options.seeds),
                static_cast<unsigned long long>(options.from));
  return worst;
}
