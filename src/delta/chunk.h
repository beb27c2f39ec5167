// Chunks: content-defined pieces of a file, named by their SHA-256. Parameters are part of the protocol: a changed
// value here is another tree id.
#pragma once

#include <cstdint>
#include <vector>

#include "base/digest.h"

namespace millrace {

inline constexpr std::uint32_t kAverageChunkBytes = 16 * 1024;
inline constexpr std::uint32_t kMinChunkBytes = kAverageChunkBytes / 4;  ///< only a file's last chunk is shorter
inline constexpr std::uint32_t kMaxChunkBytes = kAverageChunkBytes * 4;
inline constexpr std::uint32_t kNormalChunkBytes =
    kAverageChunkBytes / 16 * 13;           ///< from here on a cut is asked for less strictly
inline constexpr std::uint8_t kTreeId = 1;  ///< names chunker, gear table, fan-out and hash together

struct Chunk {
  Digest digest;             ///< SHA-256 of the content
  std::uint64_t check = 0;   ///< XXH3-64 of the content where known, else 0: a fast test for rot, never an identity
  std::uint32_t length = 0;  ///< bytes, 1 to kMaxChunkBytes

  bool operator==(const Chunk&) const = default;
};

/// A file's chunks in order.
using ChunkList = std::vector<Chunk>;

/// Where each chunk begins, and where the last one ends.
inline std::vector<std::uint64_t> offsets_of(const ChunkList& chunks) {
  std::vector<std::uint64_t> offsets{0};
  offsets.reserve(chunks.size() + 1);
  for (const Chunk& chunk : chunks) offsets.push_back(offsets.back() + chunk.length);
  return offsets;
}

}  // namespace millrace
