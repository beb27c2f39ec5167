// What the streams of one loop's connections have moved, for the monitor.
#pragma once

#include <cstdint>
#include <utility>

#include "monitor/loop_monitor.h"
#include "net/stream.h"

namespace millrace {

/// One connection's: how much of it has been counted.
class MovedBytes {
 public:
  /// Counts what has moved since the last call, and gives it: both directions together.
  std::uint64_t count(const Stream& stream, LoopMonitor& monitor) {
    const std::uint64_t in = stream.bytes_read() - std::exchange(in_, stream.bytes_read());
    const std::uint64_t out = stream.bytes_written() - std::exchange(out_, stream.bytes_written());
    monitor.counts.wire_bytes[static_cast<std::size_t>(Direction::kIn)].add(in);
    monitor.counts.wire_bytes[static_cast<std::size_t>(Direction::kOut)].add(out);
    return in + out;
  }

 private:
  std::uint64_t in_ = 0;
  std::uint64_t out_ = 0;
};

}  // namespace millrace
