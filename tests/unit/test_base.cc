#include <catch2/catch.hpp>

#include "base/path.h"
#include "base/units.h"
#include "base/varint.h"

using namespace millrace;

TEST_CASE("varints read back and overlong or cut forms are refused") {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 35, UINT64_MAX}) {
    Buffer bytes;
    append_varint(bytes, value);
    CHECK(bytes.size() == varint_size(value));
    CHECK(Reader(bytes).varint().value() == value);
    CHECK_FALSE(Reader(ByteView(bytes).first(bytes.size() - 1)).varint());
  }
  const Buffer overlong{0x80, 0x00};
  CHECK_FALSE(Reader(overlong).varint());
  CHECK(unzigzag(zigzag(-5)) == -5);
}

TEST_CASE("hostile remote paths are refused") {
  for (const std::string path : {"/a", "a/", "a//b", ".", "a/..", "../a"})
    CHECK_FALSE(check_path(path, RootAllowed::kNo));
  CHECK_FALSE(check_path(std::string("a\0b", 3), RootAllowed::kNo));
  CHECK_FALSE(check_path(std::string(256, 'x'), RootAllowed::kNo));
  CHECK_FALSE(check_path("", RootAllowed::kNo));
  CHECK(check_path("", RootAllowed::kYes));
  CHECK(check_path("a/b\nc/\xff", RootAllowed::kNo));
}

TEST_CASE("control characters and broken UTF-8 are escaped for people") {
  CHECK(printable("a\nb\xff\x1b") == "a\\nb\\xff\\x1b");
  CHECK(printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
}

TEST_CASE("sizes are read with their units") {
  CHECK(parse_size("64KiB").value() == 65536);
  CHECK_FALSE(parse_size("64x"));
}

TEST_CASE("varints have one encoding each, of the size that is said, up to 64 bits") {
  const auto bytes_of = [](std::uint64_t value) {
    Buffer bytes;
    append_varint(bytes, value);
    return bytes;
  };
  CHECK(bytes_of(0) == Buffer{0});
  CHECK(bytes_of(300) == Buffer{0xac, 0x02});
  CHECK(bytes_of(UINT64_MAX) == Buffer{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t value : {(std::uint64_t{1} << bits) - 1, std::uint64_t{1} << bits}) {
      const Buffer bytes = bytes_of(value);
      CHECK(bytes.size() == varint_size(value));
      Reader reader(bytes);
      CHECK(reader.varint().value() == value);
      CHECK(reader.done());
      for (std::size_t cut = 0; cut < bytes.size(); ++cut) CHECK_FALSE(Reader(ByteView(bytes).first(cut)).varint());
      Buffer longer = bytes;
      longer.back() |= 0x80;
      longer.push_back(0);
      CHECK_FALSE(Reader(longer).varint());
    }
  }
  CHECK_FALSE(Reader(Buffer{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}).varint());
  CHECK_FALSE(Reader(Buffer(11, 0xff)).varint());
}

TEST_CASE("signed numbers of every size survive zigzag, small ones stay short") {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, std::int64_t{-64}, INT64_MAX, INT64_MIN})
    CHECK(unzigzag(zigzag(value)) == value);
  CHECK(zigzag(-1) == 1);
  CHECK(zigzag(1) == 2);
  CHECK(zigzag(INT64_MIN) == UINT64_MAX);
}

TEST_CASE("a reader gives no more than there is and names what is over its limit") {
  const Buffer bytes{5, 1, 2};
  Reader reader(bytes);
  const auto over = reader.varint_up_to(4, "A length");
  REQUIRE_FALSE(over);
  CHECK(over.error().code == Code::kTooLarge);
  CHECK(over.error().sentence.find("A length is 5, the limit is 4") != std::string::npos);
  CHECK_FALSE(reader.take(3));
  CHECK(reader.take(2)->size() == 2);
  CHECK(reader.done());
  CHECK_FALSE(reader.take(1));
}
