// What the kernel says of this process. The files in /proc are opened at the start: a process that has confined itself
// to its data folder could not do it later.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace millrace {

struct ProcessFigures {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t most_descriptors = 0;
};

class ProcessWatch {
 public:
  ProcessWatch();
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;
  /// One thread at a time. What cannot be read stays 0. Counting descriptors takes a microsecond for each ten.
  ProcessFigures look() const;

 private:
  int memory_ = -1;       ///< /proc/self/statm
  int descriptors_ = -1;  ///< /proc/self/fd
};

}  // namespace millrace
