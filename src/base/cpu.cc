#include "base/cpu.h"

#include <atomic>

namespace millrace {

namespace {

std::atomic<CpuPath> chosen{CpuPath::kAuto};

struct Name {
  std::string_view name;
  CpuPath path;
};
constexpr Name kNames[] = {
    {"auto", CpuPath::kAuto}, {"avx512", CpuPath::kAvx512}, {"avx2", CpuPath::kAvx2}, {"plain", CpuPath::kPlain}};

#if defined(__x86_64__)
bool has_avx512() {
  static const bool has =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return has;
}

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}
#else
bool has_avx512() {
  return false;
}

bool has_avx2() {
  return false;
}
#endif

bool allows(CpuPath path) {
  const CpuPath now = chosen.load(std::memory_order_relaxed);
  return now == CpuPath::kAuto || now == path;
}

}  // namespace

Status choose_cpu_path(CpuPath path) {
  if (path == CpuPath::kAvx512 && !has_avx512())
    return fail(Code::kUsage, "This processor has no AVX-512; take --cpu auto.");
  if (path == CpuPath::kAvx2 && !has_avx2()) return fail(Code::kUsage, "This processor has no AVX2; take --cpu auto.");
  chosen.store(path, std::memory_order_relaxed);
  return {};
}

Status choose_cpu_path(std::string_view name) {
  for (const Name& known : kNames) {
    if (known.name == name) return choose_cpu_path(known.path);
  }
  return fail(Code::kUsage, "'" + std::string(name) + "' is no --cpu; there are auto, avx512, avx2 and plain.");
}

bool use_avx512() {
  return allows(CpuPath::kAvx512) && has_avx512();
}

bool use_avx2() {
  return allows(CpuPath::kAvx2) && has_avx2();
}

}  // namespace millrace
