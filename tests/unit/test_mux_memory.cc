// The multiplexer with a memory budget: what it counts, who waits, and that waiting stops nobody else.
#include <catch2/catch.hpp>

#include "support/mux_pair.h"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr std::uint64_t kMiB = 1u << 20;

/// Begins when it is admitted and keeps all that it receives until it is told to let go.
class Keeper final : public Conversation {
 public:
  explicit Keeper(StreamPort& port) : port_(port) {}
  void start() {
    port_.admit([this] { begun = true; });
  }
  Status on_message(FrameType, ByteView) override { return {}; }
  Status on_data(ByteView bytes) override {
    received += bytes.size();
    return {};
  }
  MutableBytes data_space() override { return MutableBytes(content).subspan(std::min(received, content.size())); }
  void on_closed(const Error& error) override { closed = error; }
  void let_go() { port_.release_credit(received); }
  void finish() { port_.send_last(wire::Done{}); }
  StreamPort& port() { return port_; }

  bool begun = false;
  std::uint64_t received = 0;
  Buffer content;  ///< where it wants what it receives
  std::optional<Error> closed;

 private:
  StreamPort& port_;
};

/// A server's multiplexer with a budget, and the bytes that a client sends it.
struct Server final : Mux::Owner {
  explicit Server(std::shared_ptr<MemoryBudget> given) : memory(std::move(given)), mux(Mux::Role::kServer, {}, *this) {
    feed(frame_of(wire::Hello{}, 0));
  }
  void wants_write() override {}
  void run(JobKind, std::function<void()>, std::function<void()>) override {}
  Result<std::shared_ptr<Conversation>> accept(FrameType, ByteView, StreamPort& port) override {
    keepers.push_back(std::make_shared<Keeper>(port));
    keepers.back()->start();
    return keepers.back();
  }
  void on_goaway(const wire::GoAway&) override {}
  std::shared_ptr<MemoryBudget> budget() const override { return memory; }
  std::function<void(std::function<void()>)> poster() override {
    return [this](const std::function<void()>& call) { posted.push_back(call); };
  }
  void feed(const Buffer& bytes) { REQUIRE(mux.on_bytes(bytes)); }
  void upload(std::uint32_t stream) { feed(frame_of(wire::Upload{}, stream)); }
  void data(std::uint32_t stream, std::size_t bytes) { feed(frame_of(0, 0, stream, Buffer(bytes))); }
  void call_posted() {
    while (!posted.empty()) {
      const auto call = std::move(posted.front());
      posted.pop_front();
      call();
    }
  }
  /// Sends all there is.
  void flush() { sent.feed(all_output(mux)); }

  std::shared_ptr<MemoryBudget> memory;
  std::vector<std::shared_ptr<Keeper>> keepers;
  std::deque<std::function<void()>> posted;
  Tap sent;
  Mux mux;
};

}  // namespace

SCENARIO("what a stream received is counted until it lets go of it, or ends") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  Server server(budget);
  server.flush();
  REQUIRE(budget->used() == 0);
  server.upload(1);
  server.upload(3);
  server.data(1, 1000);
  server.data(3, 500);
  CHECK(budget->used() == 1500);
  server.keepers[0]->let_go();
  CHECK(budget->used() == 500);
  server.keepers[1]->port().fail({Code::kFailed, "over"});
  server.flush();
  CHECK(budget->used() == 0);
}

SCENARIO(
    "a transport is told where the content that is arriving belongs, and to read only the header that stands in it") {
  Server server(std::make_shared<MemoryBudget>(kMiB));
  server.upload(1);
  Keeper& keeper = *server.keepers[0];
  keeper.content = Buffer(100'000);
  CHECK(server.mux.receive_space().empty());
  const Buffer frame = frame_of(0, 0, 1, Buffer(60'000));
  const std::size_t header = frame.size() - 60'000;
  server.feed(Buffer(frame.begin(), frame.begin() + 2));
  CHECK(server.mux.receive_space().empty());  // within a header
  server.feed(Buffer(frame.begin() + 2, frame.begin() + static_cast<std::ptrdiff_t>(header) + 1000));
  MutableBytes space = server.mux.receive_space();
  CHECK(space.data() == keeper.content.data() + 1000);
  CHECK(space.size() == 59'000);
  REQUIRE(server.mux.on_bytes(space));
  CHECK(keeper.received == 60'000);
  // Between two frames of it.
  space = server.mux.receive_space();
  CHECK(space.size() >= header);
  CHECK(space.size() < 100);
  server.data(1, 39'000);
  CHECK(server.mux.receive_space().empty());  // not worth a read of its own
  keeper.content = Buffer(1 << 20);
  CHECK_FALSE(server.mux.receive_space().empty());
  server.upload(3);
  CHECK(server.mux.receive_space().empty());  // a message was the last frame
  server.data(1, 1);
  CHECK_FALSE(server.mux.receive_space().empty());
  keeper.finish();
  CHECK(server.mux.receive_space().empty());
}

SCENARIO("a frame that has come in part is counted, and so is what waits to be sent") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  Server server(budget);
  server.flush();
  Buffer request = frame_of(wire::Upload{}, 1);
  wire::List list;
  list.path = std::string(2000, 'x');
  const Buffer large = frame_of(list, 3);
  server.feed(Buffer(large.begin(), large.begin() + 1000));
  CHECK(budget->used() > 900);
  CHECK(server.mux.standing().holds);
  CHECK_FALSE(server.mux.standing().is_idle);
  server.feed(Buffer(large.begin() + 1000, large.end()));
  CHECK(budget->used() == 0);
  server.keepers[0]->port().send_data(SharedBytes::of(Buffer(3000)));
  CHECK(budget->used() == 3000);
  auto piece = server.mux.next_output();
  REQUIRE(piece);
  CHECK(piece->payload.view.size() == 3000);
  // The transport has it, but it is still there.
  CHECK(budget->used() == 3000);
  piece.reset();
  CHECK(budget->used() == 0);
}

SCENARIO("transfers that wait begin in turn, over all connections") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  Server first(budget);
  Server second(budget);
  for (std::uint32_t i = 0; i < 8; ++i) first.upload(2 * i + 1);
  second.upload(1);
  CHECK(first.keepers[7]->begun);
  CHECK_FALSE(second.keepers[0]->begun);
  CHECK(second.mux.standing().waits_for_memory);
  first.keepers[7]->finish();
  CHECK(second.posted.empty());  // its last message has not left
  first.flush();
  second.call_posted();
  CHECK(second.keepers[0]->begun);
  CHECK_FALSE(second.mux.standing().waits_for_memory);
  // Both have a transfer in the budget, the first one the oldest.
  CHECK(first.mux.may_read());
  CHECK(second.mux.may_read());
  const MemoryCharge all(budget, kMiB);
  CHECK(first.mux.may_read());
  CHECK_FALSE(second.mux.may_read());
}

SCENARIO("what came early for transfers that wait stops nobody who has one in the budget") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  Server inside(budget);
  Server waiting(budget);
  Server idle(budget);
  for (std::uint32_t i = 0; i < 8; ++i) inside.upload(2 * i + 1);
  for (std::uint32_t i = 0; i < 4; ++i) {
    waiting.upload(2 * i + 1);
    CHECK(idle.mux.may_read());
    waiting.data(2 * i + 1, kMiB / 16);
  }
  CHECK(budget->used() < kMiB / 2);
  CHECK(inside.mux.may_read());
  CHECK_FALSE(waiting.mux.may_read());
  CHECK_FALSE(idle.mux.may_read());
  inside.keepers[0]->finish();
  inside.flush();
  waiting.call_posted();
  CHECK(waiting.keepers[0]->begun);
  CHECK(waiting.mux.may_read());
  CHECK(idle.mux.may_read());
  // One that fails lets go of what it held, although its last message has not left.
  waiting.data(5, 1000);
  CHECK(budget->early() > kMiB / 8);
  waiting.keepers[2]->port().fail({Code::kFailed, "over"});
  CHECK(budget->early() == kMiB / 8);
}

SCENARIO("a stream that waits takes nothing of the connection's credit from the others") {
  const auto budget = std::make_shared<MemoryBudget>(64 * kMiB);
  Server server(budget);
  // Each fills its window and lets nothing go: together more than the connection's window.
  for (std::uint32_t stream = 1; stream < 20; stream += 2) {
    server.upload(stream);
    for (int i = 0; i < 4; ++i) server.data(stream, wire::Hello{}.stream_window / 4);
    server.flush();
  }
  CHECK(budget->used() == 10 * wire::Hello{}.stream_window);
  CHECK(server.sent.granted(0) >= 9 * wire::Hello{}.stream_window);
}

SCENARIO("who waited too long for memory is told that the server is busy") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  Server server(budget);
  for (std::uint32_t i = 0; i < 9; ++i) server.upload(2 * i + 1);
  CHECK(server.mux.end_long_waits(1000, 5000) == 0);
  CHECK(server.mux.end_long_waits(5999, 5000) == 0);
  CHECK(server.mux.end_long_waits(6000, 5000) == 1);
  REQUIRE(server.keepers[8]->closed);
  CHECK(server.keepers[8]->closed->code == Code::kBusy);
  CHECK(budget->waiting() == 0);
  CHECK(budget->transfers() == 8);
}

SCENARIO("requests and content move something, PING and WINDOW do not") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  Server server(budget);
  const auto before = server.mux.standing().moved;
  for (int i = 0; i < 100; ++i) {
    server.feed(frame_of(wire::Ping{7}, 0));
    wire::Window window;
    window.credit = 1;
    server.feed(frame_of(window, 0));
  }
  server.flush();
  CHECK(server.mux.standing().moved <= before + 16);
  server.upload(1);
  server.data(1, 1000);
  CHECK(server.mux.standing().moved >= before + 1000);
}

SCENARIO("a connection that is given up says why and nothing else, and holds nothing") {
  const auto budget = std::make_shared<MemoryBudget>(kMiB);
  Server server(budget);
  server.upload(1);
  server.data(1, 1000);
  server.keepers[0]->port().send_data(SharedBytes::of(Buffer(3000)));
  server.mux.abort({Code::kTooSlow, "too slow"});
  server.flush();
  REQUIRE(server.sent.error(0));
  CHECK(server.sent.error(0)->name == "E_TOO_SLOW");
  CHECK(server.sent.all_data() == 0);
  server.mux.on_transport_closed({Code::kTooSlow, "too slow"});
  CHECK(budget->used() == 0);
  CHECK(budget->transfers() == 0);
}
