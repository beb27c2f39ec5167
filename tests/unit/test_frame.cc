#include <catch2/catch.hpp>

#include "base/random.h"
#include "base/varint.h"
#include "wire/frame.h"

using namespace millrace;

namespace {

struct Seen {
  FrameHeader header;
  Buffer payload;
  bool operator==(const Seen& other) const {
    return header.type == other.header.type && header.flags == other.header.flags &&
           header.stream == other.header.stream && header.length == other.header.length && payload == other.payload;
  }
};

/// Joins DATA again, and counts how often a frame was called its last.
struct Collect final : FrameDecoder::Sink {
  Status on_data(const FrameHeader& header, ByteView part, bool last) override {
    append(data, part);
    if (!last) return {};
    seen.push_back({header, std::exchange(data, {})});
    return {};
  }
  Status on_frame(const FrameHeader& header, ByteView payload) override {
    if (refuse) return fail(Code::kBusy, "refused by the sink");
    CHECK(payload.size() == header.length);
    seen.push_back({header, Buffer(payload.begin(), payload.end())});
    return {};
  }
  std::vector<Seen> seen;
  Buffer data;
  bool refuse = false;
};

std::vector<Seen> sample_frames() {
  std::vector<Seen> frames;
  const auto add = [&](Byte type, Byte flags, std::uint32_t stream, std::size_t length) {
    Buffer payload(length);
    for (std::size_t i = 0; i < length; ++i) payload[i] = static_cast<Byte>(i * 7 + type);
    frames.push_back({{type, flags, stream, static_cast<std::uint32_t>(length)}, payload});
  };
  add(1, 1, 0, 20);
  add(16, 1, 1, 0);
  add(0, 0, 1, 300);
  add(0, 2, kMaxStreamId, 0);
  add(200, 0xff, 128, 5);
  add(0, 0xfc, 3, 1);
  add(33, 3, 16'384, 130);
  return frames;
}

Buffer encoded(const std::vector<Seen>& frames) {
  Buffer out;
  for (const Seen& frame : frames) {
    append_frame_header(out, frame.header);
    append(out, frame.payload);
  }
  return out;
}

Status feed_copy(FrameDecoder& decoder, ByteView bytes, Collect& sink) {
  // A copy of its own, so that a sanitizer sees a read past the end.
  const Buffer copy(bytes.begin(), bytes.end());
  return decoder.feed(copy, sink);
}

Status feed_header(Byte type, std::uint64_t stream, std::uint64_t length) {
  Buffer bytes{type, 0};
  append_varint(bytes, stream);
  append_varint(bytes, length);
  FrameDecoder decoder;
  Collect sink;
  return decoder.feed(bytes, sink);
}

}  // namespace

TEST_CASE("frames cut at any one byte, or at every byte, are the same frames") {
  const auto frames = sample_frames();
  const Buffer bytes = encoded(frames);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    INFO("cut at " << cut);
    FrameDecoder decoder;
    Collect sink;
    REQUIRE(feed_copy(decoder, ByteView(bytes).first(cut), sink));
    REQUIRE(feed_copy(decoder, ByteView(bytes).subspan(cut), sink));
    CHECK(sink.seen == frames);
  }
  FrameDecoder decoder;
  Collect sink;
  for (const Byte byte : bytes) REQUIRE(feed_copy(decoder, ByteView(&byte, 1), sink));
  CHECK(sink.seen == frames);
}

TEST_CASE("frames of the largest size arrive whole in random pieces") {
  std::vector<Seen> frames;
  SeededRandom random(3);
  for (const Byte type : {Byte{0}, Byte{49}}) {
    Buffer payload(kMaxFramePayload);
    for (Byte& byte : payload) byte = static_cast<Byte>(random());
    frames.push_back({{type, 0, 9, kMaxFramePayload}, payload});
  }
  const Buffer bytes = encoded(frames);
  FrameDecoder decoder;
  Collect sink;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t count = std::min<std::size_t>(bytes.size() - at, 1 + random.below(9000));
    REQUIRE(feed_copy(decoder, ByteView(bytes).subspan(at, count), sink));
    at += count;
  }
  CHECK(sink.seen == frames);
}

TEST_CASE("DATA is handed on as it arrives, other payloads only when they are whole") {
  FrameDecoder decoder;
  Collect sink;
  Buffer bytes;
  append_frame_header(bytes, {0, 0, 1, 100});
  bytes.resize(bytes.size() + 60);
  REQUIRE(decoder.feed(bytes, sink));
  CHECK(sink.data.size() == 60);
  CHECK(sink.seen.empty());
  REQUIRE(decoder.feed(Buffer(40), sink));
  CHECK(sink.seen.size() == 1);
  bytes.clear();
  append_frame_header(bytes, {32, 0, 1, 100});
  bytes.resize(bytes.size() + 99);
  REQUIRE(decoder.feed(bytes, sink));
  CHECK(sink.seen.size() == 1);
  REQUIRE(decoder.feed(Buffer(1), sink));
  CHECK(sink.seen.size() == 2);
}

TEST_CASE("lengths and stream numbers over their limits are refused by the header alone") {
  for (const Byte type : {Byte{0}, Byte{1}, Byte{250}}) {
    CHECK(feed_header(type, kMaxStreamId, kMaxFramePayload));
    for (const std::uint64_t length : {std::uint64_t{kMaxFramePayload} + 1, std::uint64_t{1} << 48}) {
      const auto status = feed_header(type, 1, length);
      REQUIRE_FALSE(status);
      CHECK(status.error().code == Code::kTooLarge);
    }
    CHECK_FALSE(feed_header(type, 1, ~std::uint64_t{0}));
    const auto status = feed_header(type, std::uint64_t{kMaxStreamId} + 1, 0);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::kTooLarge);
  }
}

TEST_CASE("numbers of a header that are overlong or never end are refused") {
  for (const Buffer& bytes : {Buffer{0, 0, 0x80, 0x00, 0x00}, Buffer{0, 0, 0x01, 0x80, 0x00}, Buffer(12, 0xff),
                              Buffer{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}) {
    FrameDecoder decoder;
    Collect sink;
    const auto status = decoder.feed(bytes, sink);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::kProtocol);
    CHECK(sink.seen.empty());
  }
}

TEST_CASE("an error of the sink stops the decoder and is handed on") {
  FrameDecoder decoder;
  Collect sink;
  sink.refuse = true;
  const auto status = decoder.feed(encoded(sample_frames()), sink);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Code::kBusy);
  CHECK(sink.seen.empty());
}

TEST_CASE("only the numbers of the table are known types, and 16 to 31 begin a stream") {
  std::size_t known = 0;
  for (int type = 0; type < 256; ++type) known += is_known_type(static_cast<Byte>(type)) ? 1 : 0;
  CHECK(known == 30);
  CHECK_FALSE(is_request_type(15));
  CHECK(is_request_type(16));
  CHECK(is_request_type(31));
  CHECK_FALSE(is_request_type(32));
}
