#include <catch2/catch.hpp>
#include <set>

#include "base/random.h"
#include "base/varint.h"
#include "support/sample_messages.h"

using namespace millrace;
using namespace millrace::test;

namespace {

void append_field(Buffer& to, std::uint64_t number, bool must_understand, ByteView value) {
  append_varint(to, number << 1 | (must_understand ? 1 : 0));
  append_varint(to, value.size());
  append(to, value);
}

Buffer field(std::uint64_t number, ByteView value, bool must_understand = false) {
  Buffer out;
  append_field(out, number, must_understand, value);
  return out;
}

template <typename Message>
void refused(const Buffer& payload, Code code) {
  const auto decoded = wire::decode<Message>(payload);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().code == code);
}

}  // namespace

TEST_CASE("every message reads back as it was, with all fields and with none") {
  std::set<int> types;
  each_message([&](const char* name, std::uint32_t, std::uint8_t, const auto& full, const auto& none) {
    using Message = std::remove_cvref_t<decltype(full)>;
    INFO(name);
    types.insert(static_cast<int>(Message::kType));
    const auto full_again = wire::decode<Message>(wire::encode(full));
    REQUIRE(full_again);
    CHECK(*full_again == full);
    const auto none_again = wire::decode<Message>(wire::encode(none));
    REQUIRE(none_again);
    CHECK(*none_again == none);
    const auto empty = wire::decode<Message>({});
    REQUIRE(empty);
    CHECK(*empty == none);
  });
  for (int type = 1; type < 256; ++type) {
    INFO("type " << type);
    CHECK(types.contains(type) == is_known_type(static_cast<std::uint8_t>(type)));
  }
}

TEST_CASE("unknown fields are skipped, unless they must be understood: then the error names them") {
  each_message([&](const char* name, std::uint32_t, std::uint8_t, const auto& full, const auto&) {
    using Message = std::remove_cvref_t<decltype(full)>;
    INFO(name);
    const Buffer known = wire::encode(full);
    const Buffer junk(200, 0xff);
    Buffer around = field(1000, junk);
    append(around, known);
    append_field(around, 77, false, {});
    const auto skipped = wire::decode<Message>(around);
    REQUIRE(skipped);
    CHECK(*skipped == full);
    Buffer strict = known;
    append_field(strict, 1000, true, junk);
    const auto refused = wire::decode<Message>(strict);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kProtocol);
    CHECK(refused.error().sentence.find("Field 1000 of " + std::string(name)) != std::string::npos);
  });
}

TEST_CASE("an unknown field inside of an entry is skipped or named too") {
  CHECK(wire::decode<wire::Entries>(field(1, field(99, {})))->entries.size() == 1);
  refused<wire::Entries>(field(1, field(99, {}, true)), Code::kProtocol);
}

TEST_CASE("a message cut at any byte is an error or ends between two fields") {
  each_message([&](const char* name, std::uint32_t, std::uint8_t, const auto& full, const auto&) {
    using Message = std::remove_cvref_t<decltype(full)>;
    INFO(name);
    const Buffer payload = wire::encode(full);
    // Where fields begin, found without the decoder under test.
    std::set<std::size_t> boundaries{0};
    Reader reader(payload);
    while (!reader.done()) {
      REQUIRE(reader.varint());
      REQUIRE(reader.take(reader.varint().value()));
      boundaries.insert(reader.position());
    }
    for (std::size_t size = 0; size < payload.size(); ++size) {
      INFO("cut at " << size);
      // A copy of its own, so that a sanitizer sees a read past the end.
      const Buffer cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK(wire::decode<Message>(cut).has_value() == boundaries.contains(size));
    }
  });
}

TEST_CASE("damaged messages never do worse than give an error") {
  SeededRandom random(7);
  std::size_t errors = 0;
  each_message([&](const char*, std::uint32_t, std::uint8_t, const auto& full, const auto&) {
    using Message = std::remove_cvref_t<decltype(full)>;
    const Buffer payload = wire::encode(full);
    for (int i = 0; i < 300 && !payload.empty(); ++i) {
      Buffer damaged = payload;
      for (std::uint64_t n = 1 + random.below(3); n > 0; --n)
        damaged[random.below(damaged.size())] = static_cast<Byte>(random());
      const auto decoded = wire::decode<Message>(damaged);
      if (!decoded) {
        ++errors;
        CHECK((decoded.error().code == Code::kProtocol || decoded.error().code == Code::kTooLarge));
      } else {
        // What was understood can be said again.
        CHECK(*wire::decode<Message>(wire::encode(*decoded)) == *decoded);
      }
    }
  });
  CHECK(errors > 1000);
}

TEST_CASE("values of a wrong length or range are refused") {
  const Buffer bytes33(33, 1);
  for (const std::size_t wrong : {std::size_t{0}, std::size_t{31}, std::size_t{33}}) {
    refused<wire::UploadDelta>(field(3, ByteView(bytes33).first(wrong)), Code::kProtocol);
  }
  refused<wire::Upload>(field(6, ByteView(bytes33).first(15)), Code::kProtocol);
  refused<wire::Upload>(field(6, ByteView(bytes33).first(17)), Code::kProtocol);
  refused<wire::Upload>(field(8, {}), Code::kProtocol);
  refused<wire::Upload>(field(8, Buffer{3}), Code::kProtocol);
  refused<wire::Upload>(field(8, Buffer{0, 0}), Code::kProtocol);
  refused<wire::Upload>(field(8, Buffer{2}), Code::kProtocol);
  Buffer expected{2};
  append(expected, bytes33);
  refused<wire::Upload>(field(8, expected), Code::kProtocol);
  expected.pop_back();
  CHECK(wire::decode<wire::Upload>(field(8, expected)));
  refused<wire::Done>(field(1, Buffer(40, 1)), Code::kProtocol);
  refused<wire::Done>(field(1, Buffer(42, 1)), Code::kProtocol);
  CHECK(wire::decode<wire::Done>(field(1, Buffer(41, 1))));
  refused<wire::Ping>(field(1, {}), Code::kProtocol);
  refused<wire::Ping>(field(1, Buffer{1, 1}), Code::kProtocol);
  refused<wire::Ping>(field(1, Buffer{0x80, 0x00}), Code::kProtocol);
  refused<wire::Hello>(field(1, Buffer{0xff, 0xff, 0xff, 0xff, 0x1f}), Code::kTooLarge);
}

TEST_CASE("texts over 64 KiB and fields repeated over 4096 times are refused") {
  CHECK(wire::decode<wire::List>(field(1, Buffer(64 * 1024, 'a')))->path.size() == 64 * 1024);
  refused<wire::List>(field(1, Buffer(64 * 1024 + 1, 'a')), Code::kTooLarge);
  refused<wire::Stat>(field(1, Buffer(64 * 1024 + 1, 'a')), Code::kTooLarge);
  Buffer paths;
  Buffer entries;
  for (std::size_t i = 0; i < wire::kMaxRepeated; ++i) {
    append_field(paths, 1, false, {});
    append_field(entries, 1, false, {});
  }
  CHECK(wire::decode<wire::Stat>(paths)->paths.size() == wire::kMaxRepeated);
  CHECK(wire::decode<wire::Entries>(entries)->entries.size() == wire::kMaxRepeated);
  append_field(paths, 1, false, {});
  append_field(entries, 1, false, {});
  refused<wire::Stat>(paths, Code::kTooLarge);
  refused<wire::Entries>(entries, Code::kTooLarge);
}

TEST_CASE("a field that stands twice counts as it stood last") {
  Buffer twice = field(1, Buffer{5});
  append(twice, field(1, Buffer{6}));
  CHECK(wire::decode<wire::Ping>(twice)->token == 6);
}
