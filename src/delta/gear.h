// The gear of the chunker: a value for each byte, and how a window of them is summed. Part of the protocol.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace millrace::gear {

// A byte's gear is the sum of one constant for each of its nibbles, so that vector code can look it up by permuting.
// The constants are the first four bytes of SHA-256("millrace gear low 0") and so on.
inline constexpr std::array<std::uint32_t, 16> kLow = {
    0x9450c692, 0x06f92e32, 0x1098ca1e, 0x7ca4c097, 0x71cf5b3f, 0x2202a125, 0xa6fd591d, 0x171e934e,
    0x1bd1fcc3, 0x2ad2f125, 0x83db09d5, 0x639ee543, 0xe5c39a77, 0xcb16a170, 0x3f36ffaf, 0xb41624d5};
inline constexpr std::array<std::uint32_t, 16> kHigh = {
    0x48e69f22, 0xfff0f01a, 0xf7004c88, 0x80f25279, 0x6b1deb7e, 0xe8a85d1c, 0x20c66f08, 0xd35e72fc,
    0x67e64301, 0x56325ad9, 0x5804295f, 0xb3c5ad6a, 0x1e0e4c0a, 0xcc2ce221, 0xb4333656, 0xa21d5849};

inline constexpr std::array<std::uint32_t, 256> kGear = [] {
  std::array<std::uint32_t, 256> gear{};
  for (std::size_t byte = 0; byte < 256; ++byte) gear[byte] = kLow[byte & 15] + kHigh[byte >> 4];
  return gear;
}();

inline constexpr std::size_t kWindow = 32;  ///< a 32-bit sum shifted by one a byte forgets what is older

// The high bits depend on the whole window. Two bits more than the average asks for before kNormalChunkBytes, two fewer
// after it: on random data that gives 15.9 KiB a chunk.
inline constexpr std::uint32_t kStrictMask = 0xffff0000u;
inline constexpr std::uint32_t kLooseMask = 0xfff00000u;

inline std::uint32_t roll(std::uint32_t hash, Byte byte) {
  return (hash << 1) + kGear[byte];
}

/// The first position in [from, to) whose byte may be a chunk's last: by the strict mask before `strict_end`, by the
/// loose one from there on. `to` if there is none. Needs kWindow <= from and to <= data.size().
std::size_t find_cut(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to);

/// The same byte by byte; with 16 positions at once, where use_avx512(); with eight at once, where use_avx2().
std::size_t find_cut_plain(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to);
std::size_t find_cut_avx512(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to);
std::size_t find_cut_avx2(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to);

}  // namespace millrace::gear
