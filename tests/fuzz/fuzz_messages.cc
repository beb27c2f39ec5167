// Every message: what decodes is coded and decoded to the same again. The first byte names the message.
#include "fuzz/fuzz.h"
#include "support/sample_messages.h"

using namespace millrace;

namespace {

template <typename Message>
void check(ByteView payload) {
  const auto decoded = wire::decode<Message>(payload);
  if (!decoded) return fuzz::require(!decoded.error().sentence.empty(), "an error has a sentence");
  const Buffer coded = wire::encode(*decoded);
  const auto again = wire::decode<Message>(coded);
  fuzz::require(again.has_value(), "what is encoded can be decoded");
  fuzz::require(*again == *decoded, "and is the same");
  fuzz::require(wire::encode(*again) == coded, "and is encoded to the same");
}

}  // namespace

void fuzz::run(ByteView bytes) {
  if (bytes.empty() || bytes.size() > kMaxFramePayload) return;
  test::each_message([&](const char*, std::uint32_t, std::uint8_t, const auto& full, const auto&) {
    using Message = std::remove_cvref_t<decltype(full)>;
    if (static_cast<Byte>(Message::kType) == bytes[0]) check<Message>(bytes.subspan(1));
  });
}

void fuzz::seeds(const AddSeed& add) {
  test::each_message([&](const char* name, std::uint32_t, std::uint8_t, const auto& full, const auto&) {
    Buffer input{static_cast<Byte>(std::remove_cvref_t<decltype(full)>::kType)};
    append(input, wire::encode(full));
    add(name, input);
  });
}
