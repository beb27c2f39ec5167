#include <catch2/catch.hpp>

#include "base/varint.h"
#include "support/bytes.h"
#include "wire/frame.h"

using namespace millrace;

namespace {

struct Collected : FrameDecoder::Sink {
  Status on_data(const FrameHeader& header, ByteView part, bool last) override {
    append(data, part);
    if (last) frames.push_back(header);
    return {};
  }
  Status on_frame(const FrameHeader& header, ByteView payload) override {
    frames.push_back(header);
    payloads.emplace_back(payload.begin(), payload.end());
    return {};
  }
  std::vector<FrameHeader> frames;
  std::vector<Buffer> payloads;
  Buffer data;
};

Buffer frame(std::uint8_t type, std::uint32_t stream, const Buffer& payload) {
  Buffer out;
  append_frame_header(out, {type, kMustUnderstand, stream, static_cast<std::uint32_t>(payload.size())});
  append(out, payload);
  return out;
}

}  // namespace

TEST_CASE("frames come out the same wherever the stream is cut") {
  const Buffer payload = test::random_bytes(300, 1);
  const Buffer data = test::random_bytes(500, 2);
  Buffer stream = frame(1, 0, payload);
  append(stream, frame(0, 70'001, data));
  append(stream, frame(7, 3, {}));
  append(stream, frame(0, 5, {}));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameDecoder decoder;
    Collected got;
    REQUIRE(decoder.feed(ByteView(stream).first(cut), got));
    REQUIRE(decoder.feed(ByteView(stream).subspan(cut), got));
    REQUIRE(got.frames.size() == 4);
    CHECK(got.frames[1].stream == 70'001);
    CHECK(got.payloads == std::vector<Buffer>{payload, {}});
    CHECK(got.data == data);
  }
}

TEST_CASE("a frame over its limits, and a header that never ends, are refused before memory is taken") {
  Collected got;
  Buffer large{1, 0};
  append_varint(large, 1);
  append_varint(large, kMaxFramePayload + 1);
  const Status status = FrameDecoder().feed(large, got);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Code::kTooLarge);
  Buffer stream{1, 0};
  append_varint(stream, std::uint64_t{kMaxStreamId} + 1);
  append_varint(stream, 0);
  CHECK_FALSE(FrameDecoder().feed(stream, got));
  CHECK_FALSE(FrameDecoder().feed(Buffer(20, Byte{0xff}), got));
  CHECK(got.frames.empty());
}
