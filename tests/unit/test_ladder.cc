#include <catch2/catch.hpp>

#include "codec/sha256.h"
#include "delta/bits.h"
#include "delta/ladder_holder.h"
#include "delta/ladder_policy.h"
#include "delta/ladder_searcher.h"
#include "delta/rolling_hash.h"
#include "support/bytes.h"

using namespace millrace;

TEST_CASE("a rolled value equals the value of the window") {
  Buffer data = test::random_bytes(5000, 1);
  std::fill(data.begin() + 1000, data.begin() + 3000, Byte{0xff});  // the largest sums
  for (const std::uint32_t block : {1u, 7u, 32u, 47u, 64u, 512u, 1001u, 2048u}) {
    const RollingHash hash(block * 99, block);
    std::uint64_t value = hash.value(ByteView(data).first(block));
    for (std::size_t at = 0; at + block < data.size(); ++at) {
      REQUIRE(value == hash.value(ByteView(data).subspan(at, block)));
      value = hash.roll(value, data[at], data[at + block]);
    }
  }
}

TEST_CASE("zeros of different lengths, and other seeds, have other values") {
  const Buffer zeros(100, Byte{0});
  const RollingHash hash(1, 64);
  CHECK(hash.value(ByteView(zeros).first(63)) != hash.value(ByteView(zeros).first(64)));
  CHECK(RollingHash(2, 64).value(zeros) != hash.value(zeros));
}

TEST_CASE("Thue-Morse strings, which collide modulo 2^64 at every point, do not collide") {
  Buffer straight{0};
  while (straight.size() < 2048) {
    const std::size_t size = straight.size();
    for (std::size_t i = 0; i < size; ++i) straight.push_back(straight[i] ^ 1);
  }
  Buffer inverse = straight;
  for (Byte& byte : inverse) byte ^= 1;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    CHECK(RollingHash(seed, 2048).value(straight) != RollingHash(seed, 2048).value(inverse));
}

TEST_CASE("widths count every compared pair") {
  CHECK(signature_width(1, 1) == 10);
  CHECK(signature_width(1 << 20, 1 << 10) == 40);
  CHECK(signature_width((1 << 20) + 1, 1 << 10) == 41);
  CHECK(signature_width(~std::uint64_t{0}, ~std::uint64_t{0}) == 61);
  CHECK(first_rung_block(100 << 20) == 2048);
  CHECK(first_rung_block(std::uint64_t{1} << 30) == 4096);
}

TEST_CASE("the ladder's blocks follow how the literals compress") {
  CHECK(next_rung_block(2048, 2048, 0.3) == 256);
  CHECK(next_rung_block(2048, 256, 0.3) == 0);
  CHECK(next_rung_block(2048, 2048, 1.0) == 512);
  CHECK(next_rung_block(2048, 512, 1.0) == 64);
  CHECK(next_rung_block(2048, 64, 1.0) == 0);
}

namespace {

/// One lacking chunk of 16,000 random bytes at the holder; the searcher has it with one byte changed, behind 5,000
/// bytes of its own.
struct Pair {
  Pair() : holder_bytes(test::random_bytes(16'000, 7)), own_bytes(test::random_bytes(5'000, 8)) {
    append(own_bytes, holder_bytes);
    own_bytes[5'000 + 9'000] ^= 1;
  }
  LadderSearcher searcher() const { return LadderSearcher({{false, 0, 1}}, 1, {0, own_bytes.size()}, {false}, 5); }
  Buffer holder_bytes;
  Buffer own_bytes;
};

}  // namespace

TEST_CASE_METHOD(Pair, "rungs close in on a changed byte wherever the rest has moved to") {
  LadderHolder holder({{0, holder_bytes.size()}}, 5);
  LadderSearcher search = searcher();
  const BufferSource held(holder_bytes);
  const BufferSource own(own_bytes);
  std::uint64_t pair_bytes = search.gap_bytes();
  for (const std::uint32_t block : {2048u, 512u, 64u}) {
    REQUIRE(holder.begin_rung(block, pair_bytes));
    while (holder.batches_left()) {
      const SignBatch batch = holder.next_batch();
      REQUIRE(search.take_signatures(block, batch.width, sign(batch, held).value(), own));
    }
    REQUIRE(search.rung_complete());
    const auto answer = search.finish_rung(block == 2048 ? 512 : block == 512 ? 64 : 0, 1.0);
    pair_bytes = answer.pair_bytes;
    REQUIRE(holder.take_answer(answer.bits));
    std::uint64_t found = 0;
    for (const SignedRange& range : holder.found()) found += range.length;
    CHECK(found == holder_bytes.size() - block);
    std::uint64_t matched = 0;
    for (const BlockMatch& match : search.by_own()) {
      matched += match.length;
      CHECK(match.own == match.holder + 5'000);
      CHECK(std::equal(own_bytes.begin() + static_cast<std::ptrdiff_t>(match.own),
                       own_bytes.begin() + static_cast<std::ptrdiff_t>(match.own + match.length),
                       holder_bytes.begin() + static_cast<std::ptrdiff_t>(match.holder)));
    }
    CHECK(matched == found);
  }
}

TEST_CASE_METHOD(Pair, "damaged signatures and answers are refused, whatever their length") {
  LadderHolder holder({{0, holder_bytes.size()}}, 5);
  REQUIRE(holder.begin_rung(2048, own_bytes.size()));
  const SignBatch batch = holder.next_batch();
  const Buffer good = sign(batch, BufferSource(holder_bytes)).value();
  const BufferSource own(own_bytes);
  for (std::size_t length = 0; length <= good.size() + 8; ++length) {
    LadderSearcher search = searcher();
    Buffer bulk = good;
    bulk.resize(length, Byte{0x5a});
    const Status taken = search.take_signatures(2048, batch.width, bulk, own);
    CHECK(static_cast<bool>(taken && search.rung_complete()) == (length == good.size()));
  }
  CHECK_FALSE(searcher().take_signatures(0, 20, good, own));
  CHECK_FALSE(searcher().take_signatures(48, 20, good, own));
  CHECK_FALSE(searcher().take_signatures(2048, 62, good, own));
  CHECK_FALSE(searcher().take_signatures(2048, 1, good, own));
  CHECK_FALSE(holder.take_answer({}));
  CHECK_FALSE(LadderHolder({{0, 100}}, 1).begin_rung(3, 1));
  CHECK_FALSE(LadderHolder({{0, 100}}, 1).begin_rung(16, 1));
}

TEST_CASE("repeated blocks cost no more than others") {
  // 4 MiB of one repeated block against the same: with chains that grow this would take minutes.
  const Buffer piece = test::random_bytes(2048, 3);
  Buffer data;
  while (data.size() < 60'000) append(data, piece);
  Buffer own;
  while (own.size() < (4u << 20)) append(own, piece);
  LadderHolder holder({{0, data.size()}}, 1);
  REQUIRE(holder.begin_rung(2048, own.size()));
  LadderSearcher search({{false, 0, 1}}, 1, {0, own.size()}, {false}, 1);
  const SignBatch batch = holder.next_batch();
  REQUIRE(search.take_signatures(2048, batch.width, sign(batch, BufferSource(data)).value(), BufferSource(own)));
  CHECK(search.gap_bytes() < 4096);
}
