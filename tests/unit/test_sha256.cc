#include <openssl/evp.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "base/cpu.h"
#include "base/random.h"
#include "codec/crypto_library.h"
#include "codec/portable_sha256.h"
#include "codec/sha256.h"
#include "codec/sha256_lanes.h"
#include "support/bytes.h"

using namespace millrace;

namespace {

Digest openssl_digest(ByteView data) {
  Digest digest;
  REQUIRE(EVP_Digest(data.data(), data.size(), digest.bytes.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

/// What a CryptoLibrary asks its loader for.
std::atomic<int> looked;
std::atomic<int> loaded;

std::optional<Sha256Functions> load_counted(CryptoLibrary::Wanted wanted) {
  ++(wanted == CryptoLibrary::Wanted::kLoaded ? loaded : looked);
  if (wanted == CryptoLibrary::Wanted::kIfLoaded) return std::nullopt;
  // The tests link libcrypto: to find it is not to load it.
  return *CryptoLibrary::of_process().sha256_for(0);
}

std::optional<Sha256Functions> load_nothing(CryptoLibrary::Wanted wanted) {
  ++(wanted == CryptoLibrary::Wanted::kLoaded ? loaded : looked);
  return std::nullopt;
}

struct CountedLoads {
  CountedLoads() { looked = loaded = 0; }
};

/// Every length around the ends of blocks, and some longer ones.
std::vector<ByteView> pieces_of(const Buffer& data) {
  std::vector<ByteView> pieces;
  for (std::size_t length = 0; length <= 300; ++length) pieces.push_back(ByteView(data).first(length));
  for (std::size_t blocks : {16u, 64u, 1000u}) {
    for (std::size_t length = 64 * blocks - 10; length <= 64 * blocks + 2; ++length)
      pieces.push_back(ByteView(data).subspan(length % 7, length));
  }
  return pieces;
}

/// The hasher's digests of all pieces, alone and `at_once` together, are OpenSSL's.
void check_digests(Hasher& hasher, std::span<const ByteView> pieces, std::size_t at_once) {
  for (std::size_t from = 0; from < pieces.size(); from += at_once) {
    const auto some = pieces.subspan(from, std::min(at_once, pieces.size() - from));
    std::vector<Digest> digests(some.size());
    hasher.hash_all(some, digests);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const Digest expected = openssl_digest(some[i]);
      REQUIRE(digests[i] == expected);
      REQUIRE(hasher.hash(some[i]) == expected);
    }
  }
}

}  // namespace

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

TEST_CASE("every way to a digest gives OpenSSL's, for any number of pieces and with every CPU path") {
  const Buffer data = test::random_bytes(70'000, 4);
  const auto pieces = pieces_of(data);
  const auto load = GENERATE(load_counted, load_nothing);
  const auto limit = GENERATE(std::size_t{0}, std::size_t{10'000'000});
  const auto path = GENERATE(CpuPath::kAuto, CpuPath::kPlain);
  REQUIRE(choose_cpu_path(path));
  CryptoLibrary library(load, limit);
  const auto hasher = make_sha256_with(library);
  for (const std::size_t at_once : {1, 2, 3, 4, 5, 7, 8, 9, 40}) check_digests(*hasher, pieces, at_once);
  REQUIRE(choose_cpu_path(CpuPath::kAuto));
}

TEST_CASE_METHOD(CountedLoads, "OpenSSL is loaded by the message that passes the limit, and by none before it") {
  CryptoLibrary library(load_counted, 1000);
  const auto hasher = make_sha256_with(library);
  const Buffer data = test::random_bytes(400, 5);
  hasher->hash(data);
  hasher->hash(data);
  hasher->hash(ByteView(data).first(200));
  CHECK(looked == 1);
  CHECK(loaded == 0);
  CHECK(hasher->hash(ByteView(data).first(1)) == openssl_digest(ByteView(data).first(1)));
  CHECK(loaded == 1);
  CHECK(library.sha256_for(0) != nullptr);
  hasher->hash(data);
  CHECK(looked == 1);
  CHECK(loaded == 1);
}

TEST_CASE_METHOD(CountedLoads, "a first message over the limit loads OpenSSL before it is hashed") {
  CryptoLibrary library(load_counted, 1000);
  CHECK(library.sha256_for(1001) != nullptr);
  CHECK(looked == 0);
  CHECK(loaded == 1);
}

TEST_CASE_METHOD(CountedLoads, "pieces that are hashed at once count half, and nothing in lanes") {
  const Buffer data = test::random_bytes(400, 6);
  const std::vector<ByteView> pieces(8, data);
  std::vector<Digest> digests(pieces.size());
  CryptoLibrary library(load_counted, 1600);
  const auto hasher = make_sha256_with(library);
  REQUIRE(choose_cpu_path(CpuPath::kPlain));
  hasher->hash_all(pieces, digests);
  CHECK(loaded == 0);
  REQUIRE(choose_cpu_path(CpuPath::kAuto));
  if (use_avx512()) {
    for (int i = 0; i < 100; ++i) hasher->hash_all(pieces, digests);
    CHECK(loaded == 0);
  }
  hasher->hash(ByteView(data).first(1));
  CHECK(loaded == 1);
}

TEST_CASE_METHOD(CountedLoads, "where there is no OpenSSL it is looked for once and then done without") {
  CryptoLibrary library(load_nothing, 1000);
  const auto hasher = make_sha256_with(library);
  const Buffer data = test::random_bytes(3000, 7);
  for (int i = 0; i < 10; ++i) CHECK(hasher->hash(data) == openssl_digest(data));
  CHECK(loaded == 1);
}

TEST_CASE_METHOD(CountedLoads, "threads may hash while the library is loaded, which happens once") {
  CryptoLibrary library(load_counted, 20'000);
  const Buffer data = test::random_bytes(1000, 8);
  const Digest expected = openssl_digest(data);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      const auto hasher = make_sha256_with(library);
      for (int i = 0; i < 50; ++i) wrong += hasher->hash(data) == expected ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(loaded == 1);
  CHECK(library.sha256_for(0) != nullptr);
}
