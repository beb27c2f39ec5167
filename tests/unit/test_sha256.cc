#include <catch2/catch.hpp>

#include "base/cpu.h"
#include "base/random.h"
#include "codec/sha256.h"
#include "codec/sha256_lanes.h"
#include "support/bytes.h"
#include "web/engine/portable_sha256.h"

using namespace millrace;

TEST_CASE("SHA-256 gives the published digests") {
  const auto hasher = GENERATE(as<HasherFactory>(), make_sha256, make_portable_sha256)();
  CHECK(to_hex(hasher->hash({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(hasher->hash(as_bytes("abc"))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("messages hashed side by side have the digests that they have alone") {
  const auto hasher = make_sha256();
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    std::vector<Buffer> contents(random.below(70));
    for (Buffer& content : contents)
      content = test::random_bytes(random.below(random.below(2) == 0 ? 200 : 70'000), random());
    const std::vector<ByteView> pieces(contents.begin(), contents.end());
    std::vector<Digest> digests(pieces.size());
    hasher->hash_all(pieces, digests);
    for (std::size_t i = 0; i < pieces.size(); ++i) CHECK(digests[i] == hasher->hash(pieces[i]));
    std::vector<Digest> portable(pieces.size());
    make_portable_sha256()->hash_all(pieces, portable);
    CHECK(portable == digests);
    if (!use_avx512()) continue;
    std::vector<Digest> lanes(pieces.size());
    sha256_lanes(pieces, lanes);
    CHECK(lanes == digests);
  }
}

TEST_CASE("every length around a block's end is padded right in plain C++, alone and side by side") {
  const auto hasher = make_sha256();
  const auto portable = make_portable_sha256();
  const Buffer data = test::random_bytes(300, 3);
  std::vector<ByteView> pieces;
  for (std::size_t length = 0; length <= data.size(); ++length) pieces.push_back(ByteView(data).first(length));
  std::vector<Digest> digests(pieces.size());
  portable->hash_all(pieces, digests);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    CHECK(digests[i] == hasher->hash(pieces[i]));
    CHECK(portable->hash(pieces[i]) == digests[i]);
  }
}

TEST_CASE("every length around a block's end is padded right in lanes") {
  if (!use_avx512()) return;
  const auto hasher = make_sha256();
  const Buffer data = test::random_bytes(300, 3);
  std::vector<ByteView> pieces;
  for (std::size_t length = 0; length <= data.size(); ++length) pieces.push_back(ByteView(data).first(length));
  std::vector<Digest> digests(pieces.size());
  sha256_lanes(pieces, digests);
  for (std::size_t i = 0; i < pieces.size(); ++i) CHECK(digests[i] == hasher->hash(pieces[i]));
}
