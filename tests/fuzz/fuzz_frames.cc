// The frame decoder: however the bytes are cut, it gives the same frames, and they are what the bytes say.
#include "base/random.h"
#include "fuzz/fuzz.h"
#include "support/sample_messages.h"

using namespace millrace;

namespace {

/// Writes down what it gets; DATA joined to whole frames. What it writes is what was decoded.
class Log final : public FrameDecoder::Sink {
 public:
  Status on_data(const FrameHeader& header, ByteView part, bool last) override {
    append(data_, part);
    fuzz::require(data_.size() <= header.length, "DATA is no longer than its header says");
    if (!last) return {};
    fuzz::require(data_.size() == header.length, "DATA is as long as its header says");
    append_frame_header(frames, header);
    append(frames, data_);
    data_.clear();
    return {};
  }
  Status on_frame(const FrameHeader& header, ByteView payload) override {
    fuzz::require(payload.size() == header.length && payload.size() <= kMaxFramePayload, "a payload has its length");
    append_frame_header(frames, header);
    append(frames, payload);
    return {};
  }
  Buffer frames;

 private:
  Buffer data_;
};

}  // namespace

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  SeededRandom random(input.byte());
  const ByteView stream = input.rest();

  Log whole;
  FrameDecoder at_once;
  const Status status = at_once.feed(stream, whole);
  require(whole.frames.size() <= stream.size() && std::equal(whole.frames.begin(), whole.frames.end(), stream.begin()),
          "frames, coded again, are the bytes that were fed");

  Log pieces;
  FrameDecoder decoder;
  Status last;
  const std::size_t longest = std::size_t{1} << random.below(12);
  for (ByteView rest = stream; !rest.empty() && last;) {
    const ByteView piece = rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(longest)));
    rest = rest.subspan(piece.size());
    last = decoder.feed(piece, pieces);
    require(decoder.held_bytes() <= kMaxFramePayload, "at most one payload is held");
  }
  require(status.has_value() == last.has_value(), "cuts do not decide what is an error");
  if (!status) require(status.error().sentence == last.error().sentence, "nor which one");
  require(whole.frames == pieces.frames, "cuts do not decide what the frames are");
}

void fuzz::seeds(const AddSeed& add) {
  Buffer all{7};
  test::each_message([&](const char*, std::uint32_t stream, std::uint8_t flags, const auto& full, const auto&) {
    const Buffer payload = wire::encode(full);
    append_frame_header(all, {static_cast<std::uint8_t>(std::remove_cvref_t<decltype(full)>::kType), flags, stream,
                              static_cast<std::uint32_t>(payload.size())});
    append(all, payload);
    append_frame_header(all, {0, kEndOfStream, stream, 3});
    append(all, as_bytes("abc"));
  });
  add("all", all);
  Buffer large{3};
  append_frame_header(large, {0, 0, 200, 300});
  large.resize(large.size() + 300, Byte{'x'});
  append_frame_header(large, {200, kMustUnderstand, kMaxStreamId, kMaxFramePayload});
  add("data-and-too-much-announced", large);
}
