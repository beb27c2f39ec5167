#include "net/short_slices.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace millrace {

namespace {

constexpr std::uint64_t kSliceNs = 200'000;

/// As sched_setattr(2) has it; the C library of Debian 12 knows neither the call nor this.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = 0;  ///< SCHED_OTHER
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;  ///< of SCHED_OTHER: the slice
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};

}  // namespace

void ask_for_short_slices() {
  SchedulingAttributes wanted;
  if (::syscall(SYS_sched_getattr, 0, &wanted, sizeof wanted, 0) != 0 || wanted.policy != 0) return;
  wanted.size = sizeof wanted;
  wanted.flags = 0;
  wanted.runtime_ns = kSliceNs;
  (void)::syscall(SYS_sched_setattr, 0, &wanted, 0);
}

}  // namespace millrace
