#include "codec/portable_sha256.h"

#include <algorithm>
#include <array>
#include <vector>

#include "codec/sha256_constants.h"

namespace millrace {

namespace {

constexpr std::size_t kLanes = 4;
constexpr std::size_t kBlock = 64;

/// A word of each lane. Vectors of the compiler's, not of one processor: a test runs the same code as the module.
using Words = std::uint32_t __attribute__((vector_size(4 * kLanes)));

template <typename Word>
inline Word rotate(Word word, int by) {
  return (word >> by) | (word << (32 - by));
}

/// Adds one block, given as its 16 words, to a state.
template <typename Word>
inline void compress(Word (&state)[8], Word (&w)[16]) {
  Word a = state[0], b = state[1], c = state[2], d = state[3];
  Word e = state[4], f = state[5], g = state[6], h = state[7];
#pragma GCC unroll 64
  for (std::size_t t = 0; t < 64; ++t) {
    if (t >= 16) {
      const Word w15 = w[(t + 1) & 15];
      const Word w2 = w[(t + 14) & 15];
      w[t & 15] += (rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >> 3)) + w[(t + 9) & 15] +
                   (rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >> 10));
    }
    const Word t1 =
        h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + kSha256Round[t] + w[t & 15];
    const Word t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  const Word next[8] = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state[i] += next[i];
}

inline std::uint32_t load_word(const Byte* from) {
  return __builtin_bswap32(load_le<std::uint32_t>(from));
}

/// The last bytes of a message, padded to one or two blocks.
struct PaddedEnd {
  explicit PaddedEnd(ByteView message) {
    const std::size_t rest = message.size() % kBlock;
    std::copy(message.end() - static_cast<std::ptrdiff_t>(rest), message.end(), bytes.begin());
    bytes[rest] = 0x80;
    blocks = rest < kBlock - 8 ? 1 : 2;
    const std::uint64_t bits = std::uint64_t{message.size()} * 8;
    for (std::size_t i = 0; i < 8; ++i) bytes[blocks * kBlock - 1 - i] = static_cast<Byte>(bits >> (8 * i));
  }
  std::array<Byte, 2 * kBlock> bytes{};
  std::size_t blocks = 1;
};

void store_digest(Digest& digest, std::size_t word, std::uint32_t value) {
  for (std::size_t byte = 0; byte < 4; ++byte)
    digest.bytes[4 * word + byte] = static_cast<Byte>(value >> (24 - 8 * byte));
}

/// Goes on with one message: its blocks from `from` on, then its tail.
Digest finish_alone(std::uint32_t (&state)[8], ByteView rest, const PaddedEnd& end) {
  const auto take = [&](const Byte* block) {
    std::uint32_t words[16];
    for (std::size_t i = 0; i < 16; ++i) words[i] = load_word(block + 4 * i);
    compress(state, words);
  };
  for (; rest.size() >= kBlock; rest = rest.subspan(kBlock)) take(rest.data());
  for (std::size_t i = 0; i < end.blocks; ++i) take(end.bytes.data() + i * kBlock);
  Digest digest;
  for (std::size_t i = 0; i < 8; ++i) store_digest(digest, i, state[i]);
  return digest;
}

/// Four messages of about the same length side by side as long as all have whole blocks, the rest of each alone.
void hash_four(const std::array<ByteView, kLanes>& messages, const std::array<Digest*, kLanes>& digests) {
  Words state[8];
  for (std::size_t i = 0; i < 8; ++i) state[i] = Words{} + kSha256Initial[i];
  std::size_t shortest = messages[0].size();
  for (const ByteView message : messages) shortest = std::min(shortest, message.size());
  const std::size_t together = shortest - shortest % kBlock;
  for (std::size_t at = 0; at < together; at += kBlock) {
    Words words[16];
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) words[i][lane] = load_word(messages[lane].data() + at + 4 * i);
    }
    compress(state, words);
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    std::uint32_t own[8];
    for (std::size_t i = 0; i < 8; ++i) own[i] = state[i][lane];
    *digests[lane] = finish_alone(own, messages[lane].subspan(together), PaddedEnd(messages[lane]));
  }
}

class PortableSha256 final : public Hasher {
 public:
  Digest hash(ByteView data) override {
    std::uint32_t state[8];
    std::copy(std::begin(kSha256Initial), std::end(kSha256Initial), state);
    return finish_alone(state, data, PaddedEnd(data));
  }

  void hash_all(std::span<const ByteView> pieces, std::span<Digest> digests) override {
    // Neighbours in length go together, so that little is left to be hashed alone.
    std::vector<std::uint32_t> order(pieces.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return pieces[a].size() > pieces[b].size(); });
    std::size_t next = 0;
    for (; next + kLanes <= order.size(); next += kLanes) {
      std::array<ByteView, kLanes> four;
      std::array<Digest*, kLanes> into{};
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        four[lane] = pieces[order[next + lane]];
        into[lane] = &digests[order[next + lane]];
      }
      hash_four(four, into);
    }
    for (; next < order.size(); ++next) digests[order[next]] = hash(pieces[order[next]]);
  }
};

}  // namespace

std::unique_ptr<Hasher> make_portable_sha256() {
  return std::make_unique<PortableSha256>();
}

}  // namespace millrace
