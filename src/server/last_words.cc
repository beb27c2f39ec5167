#include "server/last_words.h"

#include "wire/messages.h"

namespace millrace {

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

}  // namespace millrace
