#include <catch2/catch.hpp>

#include "codec/sha256.h"
#include "codec/xxh3.h"
#include "codec/zstd_codec.h"
#include "support/bytes.h"

using namespace millrace;

namespace {

Buffer text_like(std::size_t bytes, std::uint64_t seed) {
  static const char* const kWords[] = {"river ", "mill ", "race ", "water ", "stone ", "wheel ", "grain ", "flour\n"};
  SeededRandom random(seed);
  Buffer out;
  while (out.size() < bytes) append(out, as_bytes(kWords[random.below(8)]));
  out.resize(bytes);
  return out;
}

}  // namespace

TEST_CASE("segments of any size decode to what they were") {
  const auto codec = make_zstd_codec();
  for (const std::size_t size : {1u, 100u, 1023u, 70'000u, 1u << 20}) {
    const Buffer raw = text_like(size, size);
    for (const int level : {1, 3, 9, 19}) {
      const Buffer coded = codec->encode(raw, {}, level).value();
      if (coded.empty()) {
        CHECK(size < 1023);
        continue;
      }
      CHECK(coded.size() < raw.size());
      CHECK(codec->decode(coded, {}, raw.size()).value() == raw);
    }
  }
}

TEST_CASE("a known prefix saves what it shares, and is needed to decode") {
  const auto codec = make_zstd_codec();
  // Half of what random bytes would be: what does not compress alone is sent raw whatever its prefix.
  Buffer prefix = test::random_bytes(200'000, 1);
  for (Byte& byte : prefix) byte = static_cast<Byte>('a' + byte % 16);
  Buffer raw(prefix.begin() + 50'000, prefix.begin() + 150'000);
  append(raw, text_like(1000, 2));
  const Buffer coded = codec->encode(raw, prefix, 3).value();
  REQUIRE_FALSE(coded.empty());
  CHECK(coded.size() < 2000);
  CHECK(codec->decode(coded, prefix, raw.size()).value() == raw);
  // Contexts are kept: what was referenced once must not leak into the next segment.
  const auto without = codec->decode(coded, {}, raw.size());
  CHECK((!without || *without != raw));
  const auto other = codec->decode(coded, test::random_bytes(200'000, 3), raw.size());
  CHECK((!other || *other != raw));
  CHECK(codec->decode(coded, prefix, raw.size()).value() == raw);
}

TEST_CASE("what does not get smaller gives an empty result") {
  const auto codec = make_zstd_codec();
  CHECK(codec->encode(test::random_bytes(1, 4), {}, 3).value().empty());
  CHECK(codec->encode(test::random_bytes(300'000, 5), {}, 3).value().empty());
  CHECK(codec->encode(test::random_bytes(300'000, 6), test::random_bytes(100'000, 7), 3).value().empty());
}

TEST_CASE("another raw size than the segment's is refused") {
  const auto codec = make_zstd_codec();
  const Buffer raw = text_like(50'000, 8);
  const Buffer coded = codec->encode(raw, {}, 3).value();
  for (const std::size_t wrong : {std::size_t{0}, raw.size() - 1, raw.size() + 1, raw.size() * 2}) {
    const auto decoded = codec->decode(coded, {}, wrong);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().code == Code::kProtocol);
  }
  CHECK(codec->decode(coded, {}, raw.size()).value() == raw);
}

TEST_CASE("a segment that is cut short or does not begin as one is refused, damage never does worse") {
  const auto codec = make_zstd_codec();
  const Buffer raw = text_like(20'000, 9);
  const Buffer coded = codec->encode(raw, {}, 3).value();
  for (std::size_t size = 0; size < coded.size(); size += 1 + size / 16) {
    const Buffer cut(coded.begin(), coded.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(codec->decode(cut, {}, raw.size()));
  }
  for (std::size_t at = 0; at < 4; ++at) {
    Buffer damaged = coded;
    damaged[at] ^= 0x55;
    CHECK_FALSE(codec->decode(damaged, {}, raw.size()));
  }
  CHECK_FALSE(codec->decode(test::random_bytes(5000, 10), {}, raw.size()));
  SeededRandom random(11);
  std::size_t refused = 0;
  for (int i = 0; i < 300; ++i) {
    Buffer damaged = coded;
    damaged[random.below(damaged.size())] ^= static_cast<Byte>(1 + random.below(255));
    // Segments carry no checksum of their own: the chunk's SHA-256 finds what decodes to other bytes.
    const auto decoded = codec->decode(damaged, {}, raw.size());
    if (decoded) CHECK(decoded->size() == raw.size());
    refused += decoded ? 0 : 1;
  }
  CHECK(refused > 30);
  CHECK(codec->decode(coded, {}, raw.size()).value() == raw);
}

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  const auto hasher = make_sha256();
  const auto hex = [&](std::string_view text) { return to_hex(hasher->hash(as_bytes(text))); };
  CHECK(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("XXH3 gives the values of xxHash's own self-test") {
  Buffer bytes(2367);
  std::uint64_t generator = 2654435761u;
  for (Byte& byte : bytes) {
    byte = static_cast<Byte>(generator >> 56);
    generator *= 11400714785074694797u;
  }
  const auto of = [&](std::size_t size) { return xxh3_64(ByteView(bytes).first(size)); };
  CHECK(of(0) == 0x2D06800538D394C2);
  CHECK(of(1) == 0xC44BDFF4074EECDB);
  CHECK(of(6) == 0x27B56A84CD2D7325);
  CHECK(of(12) == 0xA713DAF0DFBB77E7);
  CHECK(of(24) == 0xA3FE70BF9D3510EB);
  CHECK(of(48) == 0x397DA259ECBA1F11);
  CHECK(of(80) == 0xBCDEFBBB2C47C90A);
  CHECK(of(195) == 0xCD94217EE362EC3A);
  CHECK(of(512) == 0x617E49599013CB6B);
  CHECK(of(2048) == 0xDD59E2C3A5F038E0);
  CHECK(of(2367) == 0xCB37AEB9E5D361ED);
}
