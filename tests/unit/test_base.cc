#include <catch2/catch.hpp>

#include "base/path.h"
#include "base/units.h"
#include "base/varint.h"

using namespace millrace;

TEST_CASE("varints read back and overlong or cut forms are refused") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 35, UINT64_MAX}) {
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
  for (const std::string path : {"/a", "a/", "a//b", ".", "a/..", "../a"}) CHECK_FALSE(check_path(path, RootAllowed::kNo));
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
