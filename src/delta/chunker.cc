#include "delta/chunker.h"

#include <algorithm>
#include <array>

namespace millrace {

namespace {

// The gear of a byte is the sum of one constant for each of its nibbles, so that vector code can look it up by
// permuting. The constants are the first four bytes of SHA-256("millrace gear low 0") and so on: part of the protocol.
constexpr std::array<std::uint32_t, 16> kLow = {0x9450c692, 0x06f92e32, 0x1098ca1e, 0x7ca4c097, 0x71cf5b3f, 0x2202a125,
                                                0xa6fd591d, 0x171e934e, 0x1bd1fcc3, 0x2ad2f125, 0x83db09d5, 0x639ee543,
                                                0xe5c39a77, 0xcb16a170, 0x3f36ffaf, 0xb41624d5};
constexpr std::array<std::uint32_t, 16> kHigh = {0x48e69f22, 0xfff0f01a, 0xf7004c88, 0x80f25279, 0x6b1deb7e, 0xe8a85d1c,
                                                 0x20c66f08, 0xd35e72fc, 0x67e64301, 0x56325ad9, 0x5804295f, 0xb3c5ad6a,
                                                 0x1e0e4c0a, 0xcc2ce221, 0xb4333656, 0xa21d5849};

constexpr std::array<std::uint32_t, 256> make_gear() {
  std::array<std::uint32_t, 256> gear{};
  for (std::size_t byte = 0; byte < 256; ++byte) gear[byte] = kLow[byte & 15] + kHigh[byte >> 4];
  return gear;
}
constexpr std::array<std::uint32_t, 256> kGear = make_gear();

constexpr std::size_t kWindow = 32;  ///< a 32-bit sum shifted by one a byte forgets what is older

// The high bits depend on the whole window. Two bits more than the average asks for before kNormalChunkBytes, two fewer
// after it: on random data that gives 15.9 KiB a chunk.
constexpr std::uint32_t kStrictMask = 0xffff0000u;
constexpr std::uint32_t kLooseMask = 0xfff00000u;

std::uint32_t roll(std::uint32_t hash, Byte byte) {
  return (hash << 1) + kGear[byte];
}

/// First position in [from, to) at which a chunk may end (one past the byte whose hash matches), or 0.
std::size_t find_cut(const Byte* data, std::size_t from, std::size_t to, std::uint32_t mask, std::uint32_t& hash) {
  std::uint32_t h = hash;
  for (std::size_t at = from; at < to; ++at) {
    h = roll(h, data[at]);
    if ((h & mask) == 0) {
      hash = h;
      return at + 1;
    }
  }
  hash = h;
  return 0;
}

}  // namespace

std::size_t first_chunk_length(ByteView data, Tail tail) {
  const std::size_t end = std::min<std::size_t>(data.size(), kMaxChunkBytes);
  if (end > kMinChunkBytes) {
    // The earliest cut is at the minimum: its window begins kWindow bytes before.
    std::uint32_t hash = 0;
    for (std::size_t at = kMinChunkBytes - kWindow; at < kMinChunkBytes - 1; ++at) hash = roll(hash, data[at]);
    const std::size_t strict_end = std::min<std::size_t>(end, kNormalChunkBytes - 1);
    std::size_t cut = find_cut(data.data(), kMinChunkBytes - 1, strict_end, kStrictMask, hash);
    if (cut == 0 && end > strict_end) cut = find_cut(data.data(), strict_end, end, kLooseMask, hash);
    if (cut != 0) return cut;
    if (end == kMaxChunkBytes) return end;
  }
  return tail == Tail::kEndOfFile ? end : 0;
}

std::size_t cut_chunks(ByteView data, Tail tail, std::vector<std::uint32_t>& lengths) {
  std::size_t covered = 0;
  while (covered < data.size()) {
    const std::size_t length = first_chunk_length(data.subspan(covered), tail);
    if (length == 0) break;
    lengths.push_back(static_cast<std::uint32_t>(length));
    covered += length;
  }
  return covered;
}

bool is_valid_chunk(ByteView chunk, bool last_of_file) {
  if (chunk.empty() || chunk.size() > kMaxChunkBytes) return false;
  if (last_of_file || chunk.size() == kMaxChunkBytes) return true;
  if (chunk.size() < kMinChunkBytes) return false;
  std::uint32_t hash = 0;
  for (std::size_t at = chunk.size() - kWindow; at < chunk.size(); ++at) hash = roll(hash, chunk[at]);
  return (hash & (chunk.size() < kNormalChunkBytes ? kStrictMask : kLooseMask)) == 0;
}

}  // namespace millrace
