// Which rungs are worth their bytes. The side that has the target decides: it can sample the literals.
#pragma once

#include <algorithm>
#include <cstdint>

namespace millrace {

/// The block size after `block`, or 0: stop. `first_block`: of rung 1. Where literals compress to under half, an eighth
/// once (2 KiB, 256 B); else a quarter and then an eighth (2 KiB, 512 B, 64 B).
inline std::uint32_t next_rung_block(std::uint32_t first_block, std::uint32_t block, double literal_ratio) {
  if (block == first_block) return literal_ratio < 0.5 ? block / 8 : block / 4;
  return block * 4 == first_block ? block / 8 : 0;
}

/// What a connection costs, as its transport measured it; zeros where nothing is known.
struct Link {
  double rtt_seconds = 0;
  double bytes_per_second = 0;
};

/// True when a further rung, which may spare `bytes`, takes less time than sending them. A rung costs a round trip and
/// some work on both sides. Bytes count as on a line of 64 Mbit/s where the link is faster or not measured yet: it has
/// other users too, and on small files nobody sees the round trip.
inline bool rung_pays(const Link& link, double bytes) {
  constexpr double kSharedBytesPerSecond = 8e6;
  constexpr double kWorkSeconds = 50e-6;
  constexpr double kSearchedBytesPerSecond = 200e6;
  const double rate =
      link.bytes_per_second > 0 ? std::min(link.bytes_per_second, kSharedBytesPerSecond) : kSharedBytesPerSecond;
  return bytes / rate > link.rtt_seconds + kWorkSeconds + bytes / kSearchedBytesPerSecond;
}

/// The zstd level of literals: where the link is slower than level 9 (some MB/s with its long prefixes), bytes are
/// worth the time.
inline int level_for(const Link& link) {
  constexpr double kSlowBytesPerSecond = 2e6;
  return link.bytes_per_second > 0 && link.bytes_per_second < kSlowBytesPerSecond ? 9 : 3;
}

inline constexpr std::uint32_t kFullDepth = 3;  ///< rungs that can pay at all

/// Not when next to nothing matched and the rest does not compress: then the file is most likely new, and compressed
/// already. Small files have too few chunks to tell; for them rung 1 costs little.
inline bool worth_a_ladder(std::uint64_t matched_bytes, std::uint64_t target_bytes, double literal_ratio) {
  constexpr std::uint64_t kTellingBytes = 4u << 20;
  return target_bytes < kTellingBytes || matched_bytes >= target_bytes / 100 || literal_ratio < 0.95;
}

}  // namespace millrace
