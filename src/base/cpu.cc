#include "base/cpu.h"

#include <atomic>

namespace millrace {

namespace {
std::atomic<CpuPath> chosen{CpuPath::kAuto};

bool has_avx512() {
#if defined(__x86_64__)
  static const bool has =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return has;
#else
  return false;
#endif
}
}  // namespace

void choose_cpu_path(CpuPath path) {
  chosen.store(path, std::memory_order_relaxed);
}

CpuPath cpu_path() {
  return chosen.load(std::memory_order_relaxed);
}

bool use_avx512() {
  return cpu_path() == CpuPath::kAuto && has_avx512();
}

}  // namespace millrace
