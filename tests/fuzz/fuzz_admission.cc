// HELLO and AUTHENTICATE, as anybody who reaches the port may send them: nothing is served before it is decided who
// asks, that is asked once, and whatever is shown as a token is taken apart without a fault.
#include "fuzz/fuzz.h"
#include "server/token.h"
#include "sync/mux.h"

using namespace millrace;

namespace {

class Entrance final : public Mux::Owner {
 public:
  Entrance() : mux(Mux::Role::kServer, {}, *this) {}
  void wants_write() override {}
  void run(JobKind, std::function<void()>, std::function<void()>) override {}
  void on_goaway(const wire::GoAway&) override {}
  bool has_gate() const override { return true; }
  void on_authenticate(std::optional<std::string> token) override {
    fuzz::require(!std::exchange(asked, true), "who it is is asked once");
    if (!token) return;
    if (const auto parsed = parse_token(*token))
      fuzz::require(parsed->text() == *token, "a token has one text");
    else
      fuzz::require(parsed.error().code == Code::kNotAuthenticated, "what is no token does not count");
  }
  Result<std::shared_ptr<Conversation>> accept(FrameType, ByteView, StreamPort&) override {
    fuzz::require(admitted, "nobody is served before it is decided");
    return fail(Code::kNotFound, "There is nothing.");
  }
  bool asked = false;
  bool admitted = false;
  Mux mux;
};

}  // namespace

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  Entrance side;
  while (!input.done()) {
    // How many bytes come before somebody decides, and how.
    const Byte decision = input.byte();
    if (!side.mux.on_bytes(input.piece())) break;
    if (!side.mux.awaits_admission()) continue;
    if (decision % 4 == 0) {
      side.mux.abort({Code::kNotAuthenticated, "No."});
      require(!side.mux.on_bytes(as_bytes("x")), "nothing goes on behind a refusal");
      break;
    }
    if (decision % 4 == 1) continue;
    side.admitted = true;
    const bool answers = decision % 4 == 2;
    if (!side.mux.admit(answers ? std::optional(wire::Authenticated{}) : std::nullopt)) break;
  }
  std::size_t sent = 0;
  while (const auto piece = side.mux.next_output()) sent += piece->header.size();
  require(sent < (8u << 20), "answers have an end");
  side.mux.on_transport_closed({Code::kNetwork, "It is lost."});
}

void fuzz::seeds(const AddSeed& add) {
  const auto frame = [](Buffer& to, FrameType type, std::uint32_t stream, const Buffer& payload) {
    append_frame_header(to, {static_cast<std::uint8_t>(type), 1, stream, static_cast<std::uint32_t>(payload.size())});
    append(to, payload);
  };
  const auto flights = [](std::initializer_list<std::pair<Byte, Buffer>> all) {
    Buffer out;
    for (const auto& [decision, bytes] : all) {
      out.push_back(decision);
      append_piece(out, bytes);
    }
    return out;
  };
  Buffer hello;
  frame(hello, FrameType::kHello, 0, wire::encode(wire::Hello{}));
  Token token;
  token.id = "0123456789abcdef";
  Buffer shown;
  frame(shown, FrameType::kAuthenticate, 0, wire::encode(wire::Authenticate{token.text()}));
  Buffer request;
  frame(request, FrameType::kStat, 1, wire::encode(wire::Stat{{"a/b"}}));
  Buffer all = hello;
  append(all, shown);
  append(all, request);
  add("admitted", flights({{2, all}, {1, request}}));
  add("later", flights({{1, hello}, {1, shown}, {1, request}, {3, request}}));
  add("without-token", flights({{1, hello}, {3, request}}));
  add("refused", flights({{1, hello}, {0, shown}, {1, request}}));
}
