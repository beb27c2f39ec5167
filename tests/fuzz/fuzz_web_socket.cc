// The client's side of a WebSocket, as anybody may send it: what is handed on was in it and does not depend on how the
// bytes were cut, and the end comes once.
#include <optional>

#include "fuzz/fuzz.h"
#include "http/web_socket.h"

using namespace millrace;

namespace {

/// The connection below, which only notes what is asked of it.
class Carrier final : public Stream {
 public:
  explicit Carrier(Carrier*& self) { self = this; }
  void start(Events events) override { calls = std::move(events); }
  void pause_reading() override {}
  void resume_reading() override {}
  void write(std::vector<WritePiece> pieces) override {
    fuzz::require(!finished, "nothing is written behind the end");
    for (const WritePiece& piece : pieces) written += piece.header.size() + piece.payload.size();
  }
  std::size_t pending_bytes() const override { return 0; }
  void finish_writing() override { finished = true; }
  void close() override { calls = {}; }
  TcpMeasured measured() const override { return {}; }
  std::size_t unread_bytes() const override { return 0; }
  std::uint64_t bytes_read() const override { return 0; }
  std::uint64_t bytes_written() const override { return written; }

  Events calls;
  std::uint64_t written = 0;
  bool finished = false;
};

struct Heard {
  Buffer bytes;
  std::optional<Code> end;
  bool operator==(const Heard&) const = default;
};

Heard hear(ByteView sent, std::size_t cut) {
  Carrier* below = nullptr;
  WebSocketStream stream(std::make_unique<Carrier>(below), {});
  Heard heard;
  stream.start({[&](ByteView bytes) {
                  fuzz::require(!heard.end, "nothing is heard behind the end");
                  append(heard.bytes, bytes);
                },
                nullptr,
                [&](const Error& error) {
                  fuzz::require(!heard.end, "there is one end");
                  heard.end = error.code;
                }});
  const std::size_t all = sent.size();
  while (!sent.empty() && !heard.end) {
    const ByteView piece = sent.first(std::min(cut, sent.size()));
    sent = sent.subspan(piece.size());
    below->calls.on_bytes(piece);
  }
  fuzz::require(heard.bytes.size() <= all, "nothing is made up");
  return heard;
}

void add_frame(Buffer& to, Byte first, ByteView payload) {
  to.push_back(first);
  to.push_back(static_cast<Byte>(0x80 | payload.size()));
  for (int i = 0; i < 4; ++i) to.push_back(0);  // a mask that changes nothing
  append(to, payload);
}

}  // namespace

void fuzz::run(ByteView bytes) {
  const Heard whole = hear(bytes, std::max<std::size_t>(bytes.size(), 1));
  const Heard single = hear(bytes, 1);
  // The ends may differ: wslay looks at the reason of a goodbye in the pieces that it comes in. And what comes in one
  // piece with what ends it may go unheard.
  const std::size_t both = std::min(whole.bytes.size(), single.bytes.size());
  require(
      std::equal(whole.bytes.begin(), whole.bytes.begin() + static_cast<std::ptrdiff_t>(both), single.bytes.begin()),
      "what is heard does not depend on how the bytes were cut");
  require(whole.end || single.end || whole.bytes == single.bytes, "all is heard as long as nothing ends it");
}

void fuzz::seeds(const AddSeed& add) {
  Buffer some;
  add_frame(some, 0x02, as_bytes("in two "));
  add_frame(some, 0x89, as_bytes("ping"));
  add_frame(some, 0x80, as_bytes("frames"));
  add("message", some);
  Buffer goodbye;
  add_frame(goodbye, 0x82, as_bytes("hello"));
  add_frame(goodbye, 0x88, as_bytes("\x03\xe8"));
  add("goodbye", goodbye);
  Buffer text;
  add_frame(text, 0x81, as_bytes("text"));
  add("text", text);
  add("long", Buffer{0x82, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 'x'});
}
