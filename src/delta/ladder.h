// The ladder: what the chunk tree left over is compared in small blocks, rung by rung. The holder signs blocks of the
// distinct chunks that the searcher lacks; the searcher rolls over its own gaps. Both sides keep the same list of
// signed ranges, each within one chunk: at rung 1 every lacking chunk as a whole, later the maximal unfound ranges for
// which the searcher asks. Blocks are counted from a range's start, a short last one included; block sizes divide each
// other, so a range always starts at a block of its chunk.
//
//   signatures, rung 1:  for each chunk: length - 1 (16 bits), then the hash of each block
//   signatures, later:   the hash of each block of each range
//   answer:              one bit for each block (found), then one for each unfound range (sign it finer)
//
// Signatures come in batches that end at a range's end, so neither side holds a whole rung's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace millrace {

/// A part of a distinct lacking chunk, which is named by its number in the exchange.
struct SignedRange {
  std::uint32_t chunk = 0;
  std::uint32_t offset = 0;  ///< in the chunk
  std::uint32_t length = 0;

  bool operator==(const SignedRange&) const = default;
};

inline constexpr std::uint32_t kFirstRungBlockBytes = 2048;
inline constexpr std::uint64_t kMaxFirstRungBlocks = std::uint64_t{1} << 18;
inline constexpr std::uint32_t kMaxRungs = 8;
inline constexpr std::uint32_t kMinBlockBytes = 32;
inline constexpr int kMatchMarginBits = 10;  ///< a false match in one of a thousand transfers; the proof repairs it
inline constexpr std::uint64_t kBatchBlocks = 1u << 16;
inline constexpr std::uint64_t kBatchBytes = 8u << 20;  ///< content signed by one job

inline std::uint32_t blocks_of(std::uint32_t length, std::uint32_t block_bytes) {
  return (length + block_bytes - 1) / block_bytes;
}

/// Rung 1: 2 KiB, more where that would be too many blocks.
inline std::uint32_t first_rung_block(std::uint64_t unmatched_bytes) {
  std::uint32_t block = kFirstRungBlockBytes;
  while (unmatched_bytes / block > kMaxFirstRungBlocks && block < (1u << 16)) block *= 2;
  return block;
}

/// Bits of a hash where `positions` are compared with `blocks`, so that all of them together rarely match by chance.
inline unsigned signature_width(std::uint64_t positions, std::uint64_t blocks, int margin_bits = kMatchMarginBits) {
  __extension__ using Wide = unsigned __int128;
  Wide pairs = static_cast<Wide>(std::max<std::uint64_t>(positions, 1)) * std::max<std::uint64_t>(blocks, 1) - 1;
  int width = margin_bits;
  for (; pairs > 0; pairs >>= 1) ++width;
  return static_cast<unsigned>(std::clamp(width, 9, 61));
}

/// The unfound ranges: maximal runs of blocks without `found`, block by block over all `ranges`.
inline std::vector<SignedRange> unfound_ranges(const std::vector<SignedRange>& ranges, std::uint32_t block_bytes,
                                               const std::vector<bool>& found) {
  std::vector<SignedRange> out;
  std::size_t block = 0;
  for (const SignedRange& range : ranges) {
    bool open = false;
    for (std::uint32_t at = 0; at < range.length; at += block_bytes, ++block) {
      const std::uint32_t length = std::min(block_bytes, range.length - at);
      if (found[block]) {
        open = false;
      } else if (open) {
        out.back().length += length;
      } else {
        out.push_back({range.chunk, range.offset + at, length});
        open = true;
      }
    }
  }
  return out;
}

}  // namespace millrace
