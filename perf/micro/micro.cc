// Times the pieces that transfers are made of, one at a time on one thread. perf/README.md says how to read it.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/cpu.h"
#include "benchmarks.h"
#include "net/allocator.h"

namespace millrace::perf {

void require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "error: a benchmark did not get what it should: %s.\n", what);
  std::exit(1);
}

namespace {

constexpr std::chrono::duration<double> kSample{0.2};
constexpr std::chrono::duration<double> kQuickSample{0.005};

void print(const Timing& timing) {
  std::printf("%-44s %12.1f ns a %-8s", timing.name.c_str(), timing.nanoseconds_each(), timing.operation.c_str());
  if (timing.round.bytes > 0) std::printf(" %8.2f GB/s", timing.gigabytes_a_second());
  std::printf("\n");
}

nlohmann::ordered_json as_json(const Timing& timing) {
  nlohmann::ordered_json out = {{"name", timing.name},
                                {"operation", timing.operation},
                                {"nanoseconds_each", timing.nanoseconds_each()},
                                {"gigabytes_per_second", nullptr},
                                {"median_seconds", timing.median_seconds},
                                {"best_seconds", timing.best_seconds},
                                {"operations", timing.round.operations},
                                {"bytes", timing.round.bytes}};
  if (timing.round.bytes > 0) out["gigabytes_per_second"] = timing.gigabytes_a_second();
  return out;
}

int run(bool quick, const std::string& json_path) {
  const Stopwatch watch(quick ? kQuickSample : kSample);
  std::string folder = (std::filesystem::temp_directory_path() / "millrace-micro-XXXXXX").string();
  require(mkdtemp(folder.data()) != nullptr, "a temporary folder");
  nlohmann::ordered_json report = {{"schema", "millrace-micro-1"}, {"avx512", use_avx512()}, {"quick", quick}};
  auto& timings = report["timings"] = nlohmann::ordered_json::array();
  const auto take = [&timings](const Timings& part) {
    for (const Timing& timing : part) {
      print(timing);
      timings.push_back(as_json(timing));
    }
  };
  take(time_chunker(watch));
  take(time_hashes(watch));
  take(time_ladder(watch));
  take(time_frames(watch));
  take(time_monitor(watch));
  take(time_store(watch, folder));
  std::filesystem::remove_all(folder);
  if (json_path.empty()) return 0;
  std::ofstream file(json_path);
  file << report.dump(2) << "\n" << std::flush;
  if (file) return 0;
  std::fprintf(stderr, "error: the report cannot be written to '%s'.\n", json_path.c_str());
  return 1;
}

}  // namespace

}  // namespace millrace::perf

int main(int argc, char** argv) {
  millrace::keep_freed_memory();
  bool quick = false;
  std::string json_path;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--quick") {
      quick = true;
    } else if (word == "--json" && i + 1 < argc) {
      json_path = argv[++i];
    } else {
      std::fprintf(stderr, "usage: micro [--quick] [--json FILE]\n");
      return 2;
    }
  }
  return millrace::perf::run(quick, json_path);
}
