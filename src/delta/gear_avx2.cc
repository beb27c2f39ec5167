// The chunker's search with AVX2. A 256-bit register is two halves that hardly mix, so each half walks a piece of the
// data of its own, the second one speculatively: if the first finds a cut the other's work is lost.
#include <algorithm>
#include <array>
#include <optional>

#include "delta/gear.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millrace::gear {

#if defined(__x86_64__)

#define MILLRACE_AVX2 __attribute__((target("avx2"), always_inline)) inline

namespace {

constexpr std::size_t kPiece = 512;  ///< longer: more lost at a cut; shorter: more windows begun anew
constexpr std::size_t kStep = 16;    ///< positions of each half at a time, in kVectors registers
constexpr int kVectors = 4;

/// Byte `plane` of each of the 16 constants.
using Planes = std::array<std::array<Byte, 16>, 4>;
constexpr Planes planes_of(const std::array<std::uint32_t, 16>& gear) {
  Planes planes{};
  for (std::size_t plane = 0; plane < 4; ++plane) {
    for (std::size_t i = 0; i < 16; ++i) planes[plane][i] = static_cast<Byte>(gear[i] >> (8 * plane));
  }
  return planes;
}
constexpr Planes kLowPlanes = planes_of(kLow);
constexpr Planes kHighPlanes = planes_of(kHigh);

/// The constants of 16 nibbles in each half, four to a register: looked up byte by byte and woven together.
MILLRACE_AVX2 void look_up(const Planes& planes, __m256i nibbles, __m256i (&gears)[kVectors]) {
  __m256i plane[4];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(planes[i].data()));
    plane[i] = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles);
  }
  const __m256i first_low = _mm256_unpacklo_epi8(plane[0], plane[1]);
  const __m256i first_high = _mm256_unpacklo_epi8(plane[2], plane[3]);
  const __m256i last_low = _mm256_unpackhi_epi8(plane[0], plane[1]);
  const __m256i last_high = _mm256_unpackhi_epi8(plane[2], plane[3]);
  gears[0] = _mm256_unpacklo_epi16(first_low, first_high);
  gears[1] = _mm256_unpackhi_epi16(first_low, first_high);
  gears[2] = _mm256_unpacklo_epi16(last_low, last_high);
  gears[3] = _mm256_unpackhi_epi16(last_low, last_high);
}

MILLRACE_AVX2 __m256i shifted_sum(__m256i sums, __m256i left, int distance) {
  return _mm256_add_epi32(sums, _mm256_slli_epi32(left, distance));
}

/// Sums over windows of 32 bytes in five doubling steps, as with AVX-512; each step remembers the sums before.
struct FourWindows {
  __m256i one;
  __m256i two;
  __m256i four;
  __m256i eight[2];
  __m256i sixteen[4];

  MILLRACE_AVX2 void next(const Byte* first, const Byte* second, __m256i (&sums)[kVectors]) {
    const __m256i bytes =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(first))),
                                _mm_loadu_si128(reinterpret_cast<const __m128i*>(second)), 1);
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i gears[kVectors];
    __m256i high[kVectors];
    look_up(kLowPlanes, _mm256_and_si256(bytes, nibble), gears);
    look_up(kHighPlanes, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble), high);
    __m256i twos[kVectors];
    __m256i fours[kVectors];
    __m256i eights[kVectors];
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      gears[i] = _mm256_add_epi32(gears[i], high[i]);
      twos[i] = shifted_sum(gears[i], _mm256_alignr_epi8(gears[i], i > 0 ? gears[i - 1] : one, 12), 1);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i)
      fours[i] = shifted_sum(twos[i], _mm256_alignr_epi8(twos[i], i > 0 ? twos[i - 1] : two, 8), 2);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) eights[i] = shifted_sum(fours[i], i > 0 ? fours[i - 1] : four, 4);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      const __m256i sixteens = shifted_sum(eights[i], i > 1 ? eights[i - 2] : eight[i], 8);
      sums[i] = shifted_sum(sixteens, sixteen[i], 16);
      sixteen[i] = sixteens;
    }
    one = gears[3];
    two = twos[3];
    four = fours[3];
    eight[0] = eights[2];
    eight[1] = eights[3];
  }
};

/// A bit for each of the positions of a step that asks for a cut, the first half's in the lower 16 bits.
MILLRACE_AVX2 std::uint32_t cuts_of(const __m256i (&sums)[kVectors], __m256i most) {
  std::uint32_t cuts = 0;
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) {
    const __m256i small = _mm256_cmpeq_epi32(_mm256_min_epu32(sums[i], most), sums[i]);
    const auto bits = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(small)));
    cuts |= (bits & 15) << (4 * i) | (bits >> 4) << (kStep + 4 * static_cast<unsigned>(i));
  }
  return cuts;
}

/// The first of 2 * kPiece positions at `data` that asks for a cut by `mask`.
__attribute__((target("avx2"))) std::optional<std::size_t> find_in_pieces(const Byte* data, std::uint32_t mask) {
  const __m256i most = _mm256_set1_epi32(static_cast<int>(~mask));
  FourWindows windows{};
  __m256i sums[kVectors];
  for (std::size_t before = kWindow; before > 0; before -= kStep)
    windows.next(data - before, data + kPiece - before, sums);
  std::optional<std::size_t> second;
  for (std::size_t at = 0; at < kPiece; at += kStep) {
    windows.next(data + at, data + kPiece + at, sums);
    const __m256i least = _mm256_min_epu32(_mm256_min_epu32(sums[0], sums[1]), _mm256_min_epu32(sums[2], sums[3]));
    const __m256i small = _mm256_cmpeq_epi32(_mm256_min_epu32(least, most), least);
    if (_mm256_testz_si256(small, small) != 0) continue;
    const std::uint32_t cuts = cuts_of(sums, most);
    if (const std::uint32_t first = cuts & 0xffff; first != 0)
      return at + static_cast<std::size_t>(__builtin_ctz(first));
    if (!second) second = kPiece + at + static_cast<std::size_t>(__builtin_ctz(cuts >> kStep));
  }
  return second;
}

}  // namespace

std::size_t find_cut_avx2(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to) {
  for (const auto& [end, mask] : {std::pair(std::min(strict_end, to), kStrictMask), std::pair(to, kLooseMask)}) {
    for (; from < end && end - from >= 2 * kPiece; from += 2 * kPiece) {
      if (const auto found = find_in_pieces(data.data() + from, mask)) return from + *found;
    }
    if (from >= end) continue;
    const std::size_t cut = find_cut_plain(data, from, strict_end, end);
    if (cut != end) return cut;
    from = end;
  }
  return to;
}

#else

std::size_t find_cut_avx2(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to) {
  return find_cut_plain(data, from, strict_end, to);
}

#endif

}  // namespace millrace::gear
