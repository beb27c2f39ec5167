// delta/signature_cache: what is asked for again and again is hashed once, in bounded memory.
#include "delta/signature_cache.h"

#include <catch2/catch.hpp>

#include "delta/ladder_holder.h"
#include "support/bytes.h"

using namespace millrace;

namespace {

constexpr std::size_t kRoom = 1 << 16;

SignatureCache::Key key_of(std::uint64_t offset) {
  SignatureCache::Key key;
  key.root.bytes[0] = 1;
  key.offset = offset;
  key.length = 4096;
  key.block_bytes = 64;
  return key;
}

SignatureCache::Values values(std::size_t count) {
  return std::make_shared<const std::vector<std::uint64_t>>(count, 7);
}

/// Asked for, missed, hashed and offered, twice.
void ask_twice(SignatureCache& cache, const SignatureCache::Key& key, std::size_t count = 64) {
  for (int i = 0; i < 2; ++i) {
    if (!cache.find(key)) cache.keep(key, values(count));
  }
}

/// Counts what is read of it.
class CountingSource final : public Source {
 public:
  explicit CountingSource(Buffer bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    read += into.size();
    return BufferSource(bytes_).read_at(offset, into);
  }
  mutable std::uint64_t read = 0;

 private:
  Buffer bytes_;
};

}  // namespace

SCENARIO("what was asked for twice is there the third time") {
  SignatureCache cache(kRoom);
  REQUIRE(!cache.find(key_of(0)));
  cache.keep(key_of(0), values(64));
  REQUIRE(!cache.find(key_of(0)));
  REQUIRE(cache.counts().bytes == 0);
  cache.keep(key_of(0), values(64));
  REQUIRE(cache.find(key_of(0))->size() == 64);
  REQUIRE(cache.counts().hits == 1);
  REQUIRE(cache.counts().misses == 2);
}

SCENARIO("another root, seed, place, length or block size is another range") {
  SignatureCache cache(kRoom);
  ask_twice(cache, key_of(0));
  REQUIRE(cache.find(key_of(0)));
  auto other = key_of(0);
  other.root.bytes[31] = 1;
  REQUIRE(!cache.find(other));
  other = key_of(0);
  other.seed = 1;
  REQUIRE(!cache.find(other));
  REQUIRE(!cache.find(key_of(1)));
  other = key_of(0);
  other.length = 1;
  REQUIRE(!cache.find(other));
  other = key_of(0);
  other.block_bytes = 128;
  REQUIRE(!cache.find(other));
}

SCENARIO("it never takes more room than it has, and the least recently used goes first") {
  SignatureCache cache(kRoom);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    ask_twice(cache, key_of(i));
    REQUIRE(cache.counts().bytes <= kRoom);
    REQUIRE(cache.find(key_of(0)));
  }
  REQUIRE(cache.find(key_of(999)));
  REQUIRE(!cache.find(key_of(1)));
}

SCENARIO("what is larger than all its room, or comes when it has none, is not kept") {
  SignatureCache cache(kRoom);
  ask_twice(cache, key_of(0), kRoom);
  REQUIRE(!cache.find(key_of(0)));
  SignatureCache none(0);
  ask_twice(none, key_of(0));
  REQUIRE(!none.find(key_of(0)));
}

SCENARIO("signatures from the cache are those of the file, in any width, and the file is not read for them") {
  const CountingSource source(test::random_bytes(100'000, 1));
  const auto cache = std::make_shared<SignatureCache>(1 << 20);
  KnownContent known{cache, {}};
  known.root.bytes[0] = 1;
  for (const unsigned width : {20u, 33u, 61u, 20u}) {
    SignBatch batch{{{{100, 20'000}, true}, {{70'000, 29'999}, true}}, 5, 256, width};
    const auto plain = sign(batch, source);
    const std::uint64_t before = source.read;
    REQUIRE(sign(batch, source, known).value() == plain.value());
    REQUIRE(source.read - before == (cache->counts().hits > 0 ? 0u : 49'999u));
  }
  REQUIRE(cache->counts().hits == 4);
}

SCENARIO("content without a root is not kept") {
  const CountingSource source(test::random_bytes(1000, 1));
  const auto cache = std::make_shared<SignatureCache>(1 << 20);
  for (int i = 0; i < 3; ++i) REQUIRE(sign({{{{0, 1000}, false}}, 5, 64, 30}, source, {cache, {}}));
  REQUIRE(cache->counts().misses == 0);
  REQUIRE(source.read == 3000);
}
