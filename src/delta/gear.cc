#include "delta/gear.h"

#include <algorithm>

#include "base/cpu.h"

#if defined(__x86_64__)
// g++ 12 takes the deliberately undefined registers of its own intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#endif

namespace millrace::gear {

std::size_t find_cut_plain(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to) {
  std::uint32_t hash = 0;
  for (std::size_t at = from - kWindow; at < from; ++at) hash = roll(hash, data[at]);
  for (const auto& [end, mask] : {std::pair(std::min(strict_end, to), kStrictMask), std::pair(to, kLooseMask)}) {
    for (; from < end; ++from) {
      hash = roll(hash, data[from]);
      if ((hash & mask) == 0) return from;
    }
  }
  return to;
}

#if defined(__x86_64__)

#define MILLRACE_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kGroup = 4;

/// Sums over windows of 32 bytes that end at 16 positions in a row, in five doubling steps: the sum over 2n bytes is
/// that over the last n plus that over the n before, n positions to the left, shifted by n. Remembers each step's sums
/// of the 16 positions before. (Prefix sums by doubling: Hillis and Steele, CACM 1986.)
struct Windows {
  __m512i last[5];

  template <int kStep, int kDistance>
  MILLRACE_AVX512 __m512i widen(__m512i sums) {
    const __m512i left = _mm512_alignr_epi32(sums, last[kStep], kLanes - kDistance);
    last[kStep] = sums;
    return _mm512_add_epi32(sums, _mm512_slli_epi32(left, kDistance));
  }

  MILLRACE_AVX512 __m512i next(__m128i bytes) {
    const __m512i wide = _mm512_cvtepu8_epi32(bytes);
    const __m512i low = _mm512_permutexvar_epi32(wide, _mm512_loadu_si512(kLow.data()));
    const __m512i high = _mm512_permutexvar_epi32(_mm512_srli_epi32(wide, 4), _mm512_loadu_si512(kHigh.data()));
    return widen<4, 16>(widen<3, 8>(widen<2, 4>(widen<1, 2>(widen<0, 1>(_mm512_add_epi32(low, high))))));
  }
};

}  // namespace

MILLRACE_AVX512 std::size_t find_cut_avx512(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to) {
  const auto load = [&](std::size_t at)
                        MILLRACE_AVX512 { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(data.data() + at)); };
  const auto below = [](std::size_t end, std::size_t at) {
    return static_cast<__mmask16>(end <= at ? 0 : end - at >= kLanes ? 0xffff : (1u << (end - at)) - 1);
  };
  Windows windows{};
  (void)windows.next(load(from - 2 * kLanes));
  (void)windows.next(load(from - kLanes));
  const __m512i strict = _mm512_set1_epi32(static_cast<int>(kStrictMask));
  const __m512i loose = _mm512_set1_epi32(static_cast<int>(kLooseMask));
  while (from < to) {
    // Far from every edge: the least of four registers' sums tells whether any of them asks for a cut.
    const std::size_t edge = from < strict_end ? std::min(strict_end, to) : to;
    const __m512i mask = from < strict_end ? strict : loose;
    for (; edge - from >= kGroup * kLanes; from += kGroup * kLanes) {
      __m512i sums[kGroup];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kGroup; ++i) sums[i] = windows.next(load(from + i * kLanes));
      const __m512i least = _mm512_min_epu32(_mm512_min_epu32(sums[0], sums[1]), _mm512_min_epu32(sums[2], sums[3]));
      if (_mm512_testn_epi32_mask(least, mask) == 0) continue;
      std::size_t i = 0;
      unsigned found = 0;
      while ((found = _mm512_testn_epi32_mask(sums[i], mask)) == 0) ++i;
      return from + i * kLanes + static_cast<std::size_t>(__builtin_ctz(found));
    }
    if (from >= to) break;
    const bool whole = data.size() - from >= kLanes;
    const __m128i bytes = whole ? load(from) : _mm_maskz_loadu_epi8(below(data.size(), from), data.data() + from);
    const __m512i sums = windows.next(bytes);
    const __mmask16 strictly = below(strict_end, from);
    const unsigned found =
        ((_mm512_testn_epi32_mask(sums, strict) & strictly) | (_mm512_testn_epi32_mask(sums, loose) & ~strictly)) &
        below(to, from);
    if (found != 0) return from + static_cast<std::size_t>(__builtin_ctz(found));
    from += kLanes;
  }
  return to;
}

#else

std::size_t find_cut_avx512(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to) {
  return find_cut_plain(data, from, strict_end, to);
}

#endif

std::size_t find_cut(ByteView data, std::size_t from, std::size_t strict_end, std::size_t to) {
  if (use_avx512()) return find_cut_avx512(data, from, strict_end, to);
  return use_avx2() ? find_cut_avx2(data, from, strict_end, to) : find_cut_plain(data, from, strict_end, to);
}

}  // namespace millrace::gear
