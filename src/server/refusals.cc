#include "server/refusals.h"

#include "wire/messages.h"

namespace millrace {

namespace {

constexpr std::chrono::seconds kPatience{3};

Buffer last_words(const Error& error) {
  wire::ErrorMessage message;
  message.code = static_cast<std::uint32_t>(error.code);
  message.name = code_name(error.code);
  message.sentence = error.sentence;
  Buffer out;
  const auto add = [&out](FrameType type, std::uint8_t flags, const Buffer& payload) {
    append_frame_header(out, {static_cast<std::uint8_t>(type), flags, 0, static_cast<std::uint32_t>(payload.size())});
    append(out, payload);
  };
  add(FrameType::kHello, kMustUnderstand, wire::encode(wire::Hello{}));
  add(FrameType::kError, 0, wire::encode(message));
  return out;
}

}  // namespace

struct Refusals::Refused {
  TcpStream stream;
  Timer patience;
};

Refusals::Refusals(Loop& loop, std::function<void()> on_ended) : loop_(loop), on_ended_(std::move(on_ended)) {}

Refusals::~Refusals() = default;

void Refusals::close_all() {
  refused_.clear();
}

void Refusals::refuse(Socket client, const Error& error) {
  const std::uint64_t number = next_number_++;
  auto refused =
      std::unique_ptr<Refused>(new Refused{TcpStream(loop_), Timer(loop_, kPatience, [this, number] { end(number); })});
  TcpStream& stream = refused->stream;
  if (!stream.adopt(std::move(client))) return on_ended_();
  refused_.emplace(number, std::move(refused));
  stream.start({[](ByteView) {}, nullptr, [this, number](const Error&) { end(number); }});
  std::vector<WritePiece> pieces;
  pieces.push_back({last_words(error), nullptr, {}});
  stream.write(std::move(pieces));
  stream.finish_writing();
}

void Refusals::end(std::uint64_t number) {
  refused_.erase(number);
  on_ended_();
}

}  // namespace millrace
