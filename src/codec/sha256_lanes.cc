#include "codec/sha256_lanes.h"

#include <algorithm>
#include <array>
#include <vector>

#include "codec/sha256_constants.h"

#if defined(__x86_64__)
// g++ 12 takes the deliberately undefined registers of its own intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#endif

namespace millrace {

#if defined(__x86_64__)

namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 64;

/// What is compressed next in each lane. Idle lanes stand on a block of zeros with stride 0.
struct Lanes {
  alignas(64) std::uint32_t state[8][kLanes];
  std::array<const Byte*, kLanes> at;
  std::array<std::size_t, kLanes> stride;
};

#define MILLRACE_LANES __attribute__((target("avx512f,avx512bw")))

/// 16 blocks of 16 words each: afterwards words[i] holds word i of every lane.
MILLRACE_LANES inline void load_transposed(const Lanes& lanes, __m512i (&words)[16]) {
  __m512i row[16];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kLanes; ++i) row[i] = _mm512_loadu_si512(lanes.at[i]);
  __m512i pair[16];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kLanes; i += 2) {
    pair[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
    pair[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
  }
  __m512i quad[16];
#pragma GCC unroll 16
  for (std::size_t i = 0; i < kLanes; i += 4) {
    quad[i] = _mm512_unpacklo_epi64(pair[i], pair[i + 2]);
    quad[i + 1] = _mm512_unpackhi_epi64(pair[i], pair[i + 2]);
    quad[i + 2] = _mm512_unpacklo_epi64(pair[i + 1], pair[i + 3]);
    quad[i + 3] = _mm512_unpackhi_epi64(pair[i + 1], pair[i + 3]);
  }
  const __m512i big_endian = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
#pragma GCC unroll 16
  for (std::size_t i = 0; i < 4; ++i) {
    const __m512i low = _mm512_shuffle_i32x4(quad[i], quad[i + 4], 0x88);
    const __m512i high = _mm512_shuffle_i32x4(quad[i], quad[i + 4], 0xdd);
    const __m512i low2 = _mm512_shuffle_i32x4(quad[i + 8], quad[i + 12], 0x88);
    const __m512i high2 = _mm512_shuffle_i32x4(quad[i + 8], quad[i + 12], 0xdd);
    words[i] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(low, low2, 0x88), big_endian);
    words[i + 8] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(low, low2, 0xdd), big_endian);
    words[i + 4] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(high, high2, 0x88), big_endian);
    words[i + 12] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(high, high2, 0xdd), big_endian);
  }
}

MILLRACE_LANES inline __m512i xor3(__m512i a, __m512i b, __m512i c) {
  return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

/// Compresses `blocks` blocks in every lane.
MILLRACE_LANES void compress(Lanes& lanes, std::size_t blocks) {
  __m512i s[8];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < 8; ++i) s[i] = _mm512_load_si512(lanes.state[i]);
  for (; blocks > 0; --blocks) {
    __m512i w[16];
    load_transposed(lanes, w);
    for (std::size_t i = 0; i < kLanes; ++i) lanes.at[i] += lanes.stride[i];
    __m512i a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
#pragma GCC unroll 64
    for (std::size_t t = 0; t < 64; ++t) {
      if (t >= 16) {
        const __m512i w15 = w[(t + 1) & 15];
        const __m512i w2 = w[(t + 14) & 15];
        const __m512i small0 = xor3(_mm512_ror_epi32(w15, 7), _mm512_ror_epi32(w15, 18), _mm512_srli_epi32(w15, 3));
        const __m512i small1 = xor3(_mm512_ror_epi32(w2, 17), _mm512_ror_epi32(w2, 19), _mm512_srli_epi32(w2, 10));
        w[t & 15] = _mm512_add_epi32(_mm512_add_epi32(w[t & 15], small0), _mm512_add_epi32(w[(t + 9) & 15], small1));
      }
      const __m512i big1 = xor3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
      const __m512i choice = _mm512_ternarylogic_epi32(e, f, g, 0xca);
      const __m512i input = _mm512_add_epi32(w[t & 15], _mm512_set1_epi32(static_cast<int>(kSha256Round[t])));
      // What is known early is added first, so that a round waits for three steps of the one before, not for five. The
      // empty statement keeps the compiler from another order.
      __m512i early = _mm512_add_epi32(h, input);
      asm("" : "+v"(early));
      const __m512i t1 = _mm512_add_epi32(_mm512_add_epi32(early, choice), big1);
      const __m512i next_e = _mm512_add_epi32(_mm512_add_epi32(_mm512_add_epi32(d, early), choice), big1);
      const __m512i big0 = xor3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
      const __m512i majority = _mm512_ternarylogic_epi32(a, b, c, 0xe8);
      const __m512i next_a = _mm512_add_epi32(_mm512_add_epi32(t1, majority), big0);
      h = g;
      g = f;
      f = e;
      e = next_e;
      d = c;
      c = b;
      b = a;
      a = next_a;
    }
    const __m512i next[8] = {a, b, c, d, e, f, g, h};
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 8; ++i) s[i] = _mm512_add_epi32(s[i], next[i]);
  }
  for (std::size_t i = 0; i < 8; ++i) _mm512_store_si512(lanes.state[i], s[i]);
}

/// Feeds messages to lanes and takes digests out of them.
class Scheduler {
 public:
  Scheduler(std::span<const ByteView> messages, std::span<Digest> digests)
      : messages_(messages), digests_(digests), order_(messages.size()) {
    for (std::uint32_t i = 0; i < order_.size(); ++i) order_[i] = i;
    // The longest first, so that all lanes end at about the same time.
    std::sort(order_.begin(), order_.end(),
              [&](std::uint32_t a, std::uint32_t b) { return messages[a].size() > messages[b].size(); });
  }

  void run() {
    for (std::size_t lane = 0; lane < kLanes; ++lane) start(lane);
    for (;;) {
      std::size_t blocks = ~std::size_t{0};
      for (const Job& job : jobs_) {
        if (job.active) blocks = std::min(blocks, job.blocks);
      }
      if (blocks == ~std::size_t{0}) return;
      compress(lanes_, blocks);
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        Job& job = jobs_[lane];
        if (!job.active || (job.blocks -= blocks) > 0) continue;
        if (job.in_tail) {
          finish(lane);
          start(lane);
        } else {
          enter_tail(lane);
        }
      }
    }
  }

 private:
  struct Job {
    std::uint32_t message = 0;
    std::size_t blocks = 0;  ///< left before the next change
    std::size_t tail_blocks = 0;
    bool in_tail = false;
    bool active = false;
    std::array<Byte, 2 * kBlock> tail{};  ///< the message's last bytes, padded
  };

  void start(std::size_t lane) {
    static constexpr std::array<Byte, kBlock> kIdle{};
    Job& job = jobs_[lane];
    job.active = next_ < order_.size();
    if (!job.active) {
      lanes_.at[lane] = kIdle.data();
      lanes_.stride[lane] = 0;
      return;
    }
    job.message = order_[next_++];
    const ByteView message = messages_[job.message];
    const std::size_t rest = message.size() % kBlock;
    job.tail.fill(0);
    std::copy(message.end() - static_cast<std::ptrdiff_t>(rest), message.end(), job.tail.begin());
    job.tail[rest] = 0x80;
    job.tail_blocks = rest < kBlock - 8 ? 1 : 2;
    const std::uint64_t bits = std::uint64_t{message.size()} * 8;
    for (std::size_t i = 0; i < 8; ++i) job.tail[job.tail_blocks * kBlock - 1 - i] = static_cast<Byte>(bits >> (8 * i));
    for (std::size_t i = 0; i < 8; ++i) lanes_.state[i][lane] = kSha256Initial[i];
    lanes_.at[lane] = message.data();
    lanes_.stride[lane] = kBlock;
    job.blocks = message.size() / kBlock;
    job.in_tail = false;
    if (job.blocks == 0) enter_tail(lane);
  }

  void enter_tail(std::size_t lane) {
    Job& job = jobs_[lane];
    job.in_tail = true;
    job.blocks = job.tail_blocks;
    lanes_.at[lane] = job.tail.data();
  }

  void finish(std::size_t lane) {
    Digest& digest = digests_[jobs_[lane].message];
    for (std::size_t i = 0; i < 8; ++i) {
      for (std::size_t byte = 0; byte < 4; ++byte)
        digest.bytes[4 * i + byte] = static_cast<Byte>(lanes_.state[i][lane] >> (24 - 8 * byte));
    }
  }

  std::span<const ByteView> messages_;
  std::span<Digest> digests_;
  std::vector<std::uint32_t> order_;
  std::size_t next_ = 0;
  Lanes lanes_{};
  std::array<Job, kLanes> jobs_;
};

}  // namespace

void sha256_lanes(std::span<const ByteView> messages, std::span<Digest> digests) {
  Scheduler(messages, digests).run();
}

#else

void sha256_lanes(std::span<const ByteView>, std::span<Digest>) {}

#endif

}  // namespace millrace
