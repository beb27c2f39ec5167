// What one event loop counts. Its thread alone writes, without a lock or a locked instruction; any thread reads. Sums
// over the loops are made by whoever asks (monitor.h).
#pragma once

#include <array>
#include <atomic>

#include "base/durations.h"
#include "base/error.h"
#include "monitor/operation.h"

namespace millrace {

/// A number that one thread raises and any thread reads.
class Tally {
 public:
  void add(std::uint64_t more) {
    value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Results: 0 is ok, others the code's number.
inline constexpr std::size_t kResults = static_cast<std::size_t>(Code::kTls) + 1;

struct TransferTally {
  Tally logical;  ///< bytes of content that whole transfers were about
  Tally matched;  ///< of it, what the other side had
  Tally literal;  ///< of it, what travelled, before compression
  Tally zero;     ///< of it, runs of zeros
};

struct alignas(64) LoopCounts {
  std::array<std::array<Tally, kResults>, kOperationNames.size()> requests;
  std::array<DurationTally, kOperationNames.size()> durations;  ///< of those that ended well
  std::array<TransferTally, kDirectionNames.size()> transfers;
  std::array<Tally, kDirectionNames.size()> wire_bytes;  ///< at the sockets
  Tally resumed;                                         ///< uploads that went on from one that was cut off, done
  Tally resumed_failed;                                  ///< likewise, but ended with an error
  Tally wrong_roots;                                     ///< patches that made something else than was announced
  Tally asked_chunks;                                    ///< after such: those that differ came again
  Tally asked_all;                                       ///< likewise: everything
  DurationTally handshakes_full;                         ///< TLS, as a server
  DurationTally handshakes_resumed;                      ///< likewise, with keys of an earlier connection
  Tally handshakes_failed;
  std::array<std::atomic<std::uint64_t>, kDirectionNames.size()> active{};  ///< transfers under way
};

}  // namespace millrace
