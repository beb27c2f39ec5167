#include <catch2/catch.hpp>

#include "support/mux_pair.h"

using namespace millrace;
using namespace millrace::test;

namespace {

wire::Hello windows(std::uint64_t stream, std::uint64_t connection) {
  wire::Hello hello;
  hello.stream_window = stream;
  hello.connection_window = connection;
  return hello;
}

/// A server that is spoken to in raw frames.
struct RawServer {
  explicit RawServer(const wire::Hello& own = {}) : side(Mux::Role::kServer, own) {
    side.on_accept = [this](FrameType, ByteView payload, StreamPort& port) -> Result<std::shared_ptr<Conversation>> {
      outcomes.push_back(std::make_shared<Outcome>());
      const auto request = wire::decode<wire::Download>(payload);
      if (request && request->basis_bytes > 0) {
        auto made = std::make_shared<Producer>(port, request->basis_bytes, outcomes.back());
        made->pump();
        return made;
      }
      return std::make_shared<Consumer>(port, Hold::kYes, outcomes.back());
    };
  }
  void hello(const wire::Hello& peer = {}) { REQUIRE(side.mux.on_bytes(frame_of(peer, 0))); }
  Status give(const Buffer& bytes) { return side.mux.on_bytes(bytes); }
  Side side;
  std::vector<OutcomePtr> outcomes;
};

}  // namespace

TEST_CASE("many streams arrive whole both ways, however the bytes are cut, and credit is never exceeded") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SeededRandom random(seed);
    MuxPair pair(seed, windows(random.below(2) != 0 ? 20'000 : 300'000, 50'000 + random.below(1'000'000)),
                 windows(30'000, 70'000 + random.below(1'000'000)));
    std::vector<OutcomePtr> outcomes;
    for (int i = 0; i < 30; ++i) {
      const std::uint64_t bytes = 1 + random.below(random.below(4) == 0 ? 900'000 : 9'000);
      outcomes.push_back(i % 2 == 0 ? pair.download(bytes) : pair.upload(bytes));
      if (random.below(3) == 0) pair.pump();
    }
    pair.pump();
    for (const auto& outcome : outcomes) CHECK(outcome->done);
    for (const auto& outcome : pair.served) CHECK_FALSE(outcome->closed);
    CHECK(pair.client.mux.open_streams() == 0);
    CHECK(pair.server.mux.open_streams() == 0);
  }
}

TEST_CASE("a receiver that holds its bytes stops the sender at the window, and releasing lets it go on") {
  MuxPair pair(1, windows(512 * 1024, 8u << 20));
  const std::uint64_t total = 12u << 20;
  const auto held = pair.download(total, Hold::kYes);
  pair.pump();
  CHECK(held->received == 512 * 1024);
  CHECK(pair.served[0]->most_unsent < StreamPort::kHighWater + 300'000);
  CHECK(pair.served[0]->pauses > 0);
  const auto other = pair.download(100'000);
  pair.pump();
  CHECK(other->done);
  for (std::uint64_t released = 0; !held->done && released < 2 * total;) {
    const std::uint64_t fresh = held->received - released;
    REQUIRE(fresh > 0);
    held->port->release_credit(fresh);
    released += fresh;
    pair.pump();
  }
  CHECK(held->done);
  CHECK(held->received == total);
}

TEST_CASE("a wider window set before the request has left is not lost") {
  MuxPair pair(2, windows(256 * 1024, 1u << 20));
  pair.pump();
  auto outcome = std::make_shared<Outcome>();
  REQUIRE(pair.client.mux.open([&](StreamPort& port) {
    port.set_window(900 * 1024);
    auto made = std::make_shared<Consumer>(port, Hold::kYes, outcome);
    wire::Download request;
    request.basis_bytes = 2u << 20;
    port.send(request);
    return made;
  }));
  pair.pump();
  CHECK(outcome->received == 900 * 1024);
}

TEST_CASE("streams that send in another order than they were opened are all served") {
  MuxPair pair(3);
  StreamPort* slow = nullptr;
  auto outcome = std::make_shared<Outcome>();
  REQUIRE(pair.client.mux.open([&](StreamPort& port) {
    slow = &port;
    return std::make_shared<Consumer>(port, Hold::kNo, outcome);
  }));
  const auto quick = pair.download(5000);
  pair.pump();
  CHECK(quick->done);
  wire::Download request;
  request.basis_bytes = 7000;
  slow->send(request);
  pair.pump();
  CHECK(outcome->done);
}

TEST_CASE("a cancelled stream ends on both sides and leaves the others alone") {
  MuxPair pair(4);
  std::uint32_t handle = 0;
  const auto cancelled = pair.download(10u << 20, Hold::kYes, &handle);
  const auto other = pair.download(2u << 20);
  pair.pump();
  pair.client.mux.cancel(handle);
  REQUIRE(cancelled->closed);
  CHECK(cancelled->closed->code == Code::kCancelled);
  pair.client.mux.cancel(handle);
  pair.pump();
  REQUIRE(pair.served[0]->closed);
  CHECK(pair.served[0]->closed->code == Code::kCancelled);
  CHECK(other->done);
  CHECK(pair.client.sent.count(FrameType::kCancel) == 1);
  CHECK(pair.client.mux.open_streams() == 0);
  CHECK(pair.server.mux.open_streams() == 0);
}

TEST_CASE("a stream cancelled before it sent its request never begins, and its number is used up") {
  MuxPair pair(5);
  pair.pump();
  auto outcome = std::make_shared<Outcome>();
  const auto handle =
      pair.client.mux.open([&](StreamPort& port) { return std::make_shared<Consumer>(port, Hold::kNo, outcome); });
  REQUIRE(handle);
  pair.client.mux.cancel(*handle);
  pair.pump();
  CHECK(outcome->closed);
  CHECK(pair.served.empty());
  const auto next = pair.download(1000);
  pair.pump();
  CHECK(next->done);
}

TEST_CASE("what ended streams had received and not released does not shrink the connection's window") {
  MuxPair pair(6);
  pair.uploads = Hold::kYes;
  for (int i = 0; i < 12; ++i) {
    std::uint32_t handle = 0;
    pair.upload(1u << 20, &handle);
    pair.pump();
    pair.served.back()->port->set_window(600 * 1024);
    pair.pump();
    CHECK(pair.served.back()->received == 600 * 1024);
    pair.client.mux.cancel(handle);
    pair.pump();
  }
  pair.uploads = Hold::kNo;
  const auto last = pair.upload(3u << 20);
  pair.pump();
  CHECK(last->done);
}

TEST_CASE("an error on one stream reaches its conversation only") {
  MuxPair pair(7);
  const auto failing = pair.download(8u << 20, Hold::kYes);
  const auto other = pair.download(3u << 20);
  pair.pump();
  pair.served[0]->port->fail({Code::kIntegrity, "The disk gave other bytes."});
  pair.pump();
  REQUIRE(failing->closed);
  CHECK(failing->closed->code == Code::kIntegrity);
  CHECK(failing->closed->sentence == "The disk gave other bytes.");
  CHECK(other->done);
  CHECK(pair.download(1000)->closed.has_value() == false);
  pair.pump();
}

TEST_CASE("a refused request ends its stream with the server's error") {
  MuxPair pair(8);
  auto outcome = std::make_shared<Outcome>();
  REQUIRE(pair.client.mux.open([&](StreamPort& port) {
    port.send(wire::Stat{});
    return std::make_shared<Consumer>(port, Hold::kNo, outcome);
  }));
  pair.pump();
  REQUIRE(outcome->closed);
  CHECK(outcome->closed->code == Code::kNotFound);
}

TEST_CASE("a conversation that fails while it is made hears of it") {
  MuxPair pair(9);
  auto outcome = std::make_shared<Outcome>();
  REQUIRE(pair.client.mux.open([&](StreamPort& port) {
    port.fail({Code::kSourceChanged, "gone"});
    return std::make_shared<Consumer>(port, Hold::kNo, outcome);
  }));
  REQUIRE(outcome->closed);
  CHECK(outcome->closed->code == Code::kSourceChanged);
  CHECK(pair.client.mux.open_streams() == 0);
}

TEST_CASE("a message over the frame's limit ends its own stream only") {
  MuxPair pair(10);
  auto outcome = std::make_shared<Outcome>();
  REQUIRE(pair.client.mux.open([&](StreamPort& port) {
    port.send(wire::Stat{std::vector<std::string>(100, std::string(4000, 'x'))});
    return std::make_shared<Consumer>(port, Hold::kNo, outcome);
  }));
  REQUIRE(outcome->closed);
  CHECK(outcome->closed->code == Code::kTooLarge);
  const auto other = pair.download(1000);
  pair.pump();
  CHECK(other->done);
}

TEST_CASE("two long streams take turns, also after their producers were paused and resumed") {
  MuxPair pair(11, windows(1u << 28, 1u << 28));
  pair.download(40u << 20);
  pair.download(40u << 20);
  pair.pump();
  std::vector<std::uint32_t> order;
  for (const auto& frame : pair.server.sent.frames) {
    if (frame.header.type == 0 && frame.header.length > 0) order.push_back(frame.header.stream);
  }
  std::size_t longest = 0;
  std::size_t run = 0;
  // At the ends one of them may be alone.
  for (std::size_t i = order.size() / 8; i < order.size() * 7 / 8; ++i) {
    run = order[i] == order[i - 1] ? run + 1 : 1;
    longest = std::max(longest, run);
  }
  CHECK(order.size() > 300);
  CHECK(longest == 1);
}

TEST_CASE("unknown frame types are skipped, on open streams too, or refused by name where they must be understood") {
  RawServer server;
  server.hello();
  wire::Download request;
  request.basis_bytes = 10u << 20;
  REQUIRE(server.give(frame_of(request, 1)));
  for (const std::uint32_t stream : {0u, 1u, 7u, 4u}) {
    REQUIRE(server.give(frame_of(200, 0, stream, Buffer(300, 1))));
    REQUIRE(server.give(frame_of(30, 0, stream, {})));
  }
  CHECK_FALSE(server.outcomes[0]->closed);
  for (const std::uint8_t type : {std::uint8_t{200}, std::uint8_t{30}}) {
    for (const std::uint32_t stream : {0u, 1u, 9u}) {
      RawServer strict;
      strict.hello();
      REQUIRE(strict.give(frame_of(request, 1)));
      const auto status = strict.give(frame_of(type, kMustUnderstand, stream, {}));
      REQUIRE_FALSE(status);
      CHECK(status.error().sentence.find("type " + std::to_string(type)) != std::string::npos);
    }
  }
}

TEST_CASE("undefined flag bits are ignored") {
  RawServer server;
  server.hello();
  REQUIRE(server.give(frame_of(wire::Download{}, 1, 0xfc | kMustUnderstand)));
  CHECK(server.outcomes.size() == 1);
}

TEST_CASE("a peer without a common version or with other chunks is refused with E_VERSION") {
  wire::Hello newer;
  newer.min_version = newer.max_version = 99;
  wire::Hello other_tree;
  other_tree.tree_id = 7;
  for (const wire::Hello& hello : {newer, other_tree}) {
    RawServer server;
    const auto status = server.give(frame_of(hello, 0));
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::kVersion);
    server.side.output();
    REQUIRE(server.side.sent.error(0));
    CHECK(server.side.sent.error(0)->name == "E_VERSION");
    CHECK_FALSE(server.give(frame_of(wire::Hello{}, 0)));
  }
  RawServer server;
  wire::Hello both;
  both.max_version = 99;
  CHECK(server.give(frame_of(both, 0)));
  RawServer strict;
  wire::Hello upside_down;
  upside_down.min_version = 2;
  upside_down.max_version = 1;
  CHECK_FALSE(strict.give(frame_of(upside_down, 0)));
}

TEST_CASE("garbage in place of HELLO is refused at its first byte") {
  const std::string request = "GET / HTTP/1.1\r\n\r\n";
  const Buffer http(request.begin(), request.end());
  const Buffer tls{0x16, 0x03, 0x01, 0x02, 0x00};
  for (const Buffer& bytes : {http, tls, frame_of(wire::Ping{}, 0), frame_of(wire::Download{}, 1)}) {
    RawServer server;
    const auto status = server.give({bytes[0]});
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::kProtocol);
    server.side.output();
    CHECK(server.side.sent.error(0));
    CHECK(server.outcomes.empty());
  }
  RawServer twice;
  twice.hello();
  CHECK_FALSE(twice.give(frame_of(wire::Hello{}, 0)));
  RawServer on_stream;
  CHECK_FALSE(on_stream.give(frame_of(wire::Hello{}, 1)));
}

TEST_CASE("a peer that asks without reading is cut off before much is queued") {
  for (const bool pings : {true, false}) {
    wire::Hello own;
    own.max_streams = 1;
    RawServer server(own);
    server.hello();
    REQUIRE(server.give(frame_of(wire::Download{}, 1)));
    Status status;
    std::uint64_t given = 0;
    for (; status && given < 1'000'000; ++given) {
      status = server.give(pings ? frame_of(wire::Ping{~std::uint64_t{0}}, 0)
                                 : frame_of(wire::Download{}, static_cast<std::uint32_t>(3 + 2 * given)));
    }
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::kProtocol);
    CHECK(server.side.output().size() < (4u << 20) + 4096);
  }
}

TEST_CASE("requests past max_streams are refused with E_BUSY and the others live on") {
  wire::Hello own;
  own.max_streams = 3;
  SECTION("a client that knows the limit does not send them") {
    MuxPair pair(12, {}, own);
    pair.pump();
    for (int i = 0; i < 3; ++i) pair.download(1u << 20, Hold::kYes);
    const auto more = pair.client.mux.open([](StreamPort&) { return nullptr; });
    REQUIRE_FALSE(more);
    CHECK(more.error().code == Code::kBusy);
  }
  SECTION("one that sends them is told on the stream") {
    RawServer server(own);
    server.hello();
    for (std::uint32_t stream = 1; stream <= 7; stream += 2) REQUIRE(server.give(frame_of(wire::Download{}, stream)));
    server.side.output();
    CHECK_FALSE(server.side.sent.error(5));
    REQUIRE(server.side.sent.error(7));
    CHECK(server.side.sent.error(7)->name == "E_BUSY");
    CHECK(server.outcomes.size() == 3);
    REQUIRE(server.give(frame_of(wire::Cancel{}, 1)));
    REQUIRE(server.give(frame_of(wire::Download{}, 9)));
    CHECK(server.outcomes.size() == 4);
  }
  SECTION("a stream whose bytes wait for credit counts although its conversation has ended") {
    RawServer server(own);
    server.hello(windows(0, 0));
    wire::Download request;
    request.basis_bytes = 100'000;
    for (std::uint32_t stream = 1; stream <= 7; stream += 2) REQUIRE(server.give(frame_of(request, stream)));
    server.side.output();
    CHECK(server.side.mux.open_streams() == 0);
    CHECK(server.outcomes.size() == 3);
    CHECK(server.side.sent.error(7));
  }
}

TEST_CASE("bytes over the credit, and credit over all measure, are fatal") {
  RawServer server(windows(300'000, 400'000));
  server.hello();
  REQUIRE(server.give(frame_of(wire::Download{}, 1)));
  SECTION("of the stream") {
    REQUIRE(server.give(frame_of(0, 0, 1, pattern_bytes(0, 200'000))));
    REQUIRE(server.give(frame_of(0, 0, 1, pattern_bytes(200'000, 100'000))));
    CHECK_FALSE(server.give(frame_of(0, 0, 1, pattern_bytes(300'000, 1))));
  }
  SECTION("of the connection") {
    for (std::uint32_t stream = 3; stream <= 9; stream += 2) REQUIRE(server.give(frame_of(wire::Download{}, stream)));
    Status status;
    std::uint64_t taken = 0;
    for (std::uint32_t stream = 1; status && stream <= 9; stream += 2) {
      status = server.give(frame_of(0, 0, stream, pattern_bytes(0, 250'000)));
      taken += status ? 250'000 : 0;
    }
    CHECK_FALSE(status);
    CHECK(taken <= wire::Hello{}.connection_window);
  }
  SECTION("granted at once or bit by bit") {
    CHECK_FALSE(server.give(frame_of(wire::Window{std::uint64_t{1} << 41}, 0)));
    RawServer second;
    second.hello();
    REQUIRE(second.give(frame_of(wire::Window{std::uint64_t{1} << 39}, 0)));
    CHECK_FALSE(second.give(frame_of(wire::Window{std::uint64_t{1} << 40}, 0)));
  }
}

TEST_CASE("a stream that goes on after its end is refused, the connection lives on") {
  RawServer server;
  server.hello();
  REQUIRE(server.give(frame_of(wire::Download{}, 1, kMustUnderstand | kEndOfStream)));
  REQUIRE(server.give(frame_of(0, 0, 1, Buffer(10))));
  REQUIRE(server.outcomes[0]->closed);
  CHECK(server.outcomes[0]->closed->code == Code::kProtocol);
  CHECK(server.give(frame_of(wire::Download{}, 3)));
  CHECK_FALSE(server.give(frame_of(wire::Download{}, 3 - 2)));
}

TEST_CASE("after a fatal error nothing of the streams is sent and every call gives it again") {
  RawServer server;
  server.hello();
  wire::Download request;
  request.basis_bytes = 1u << 20;
  REQUIRE(server.give(frame_of(request, 1)));
  REQUIRE_FALSE(server.give(frame_of(wire::Hello{}, 0)));
  server.side.output();
  CHECK(server.side.sent.all_data() == 0);
  CHECK(server.side.sent.error(0));
  CHECK_FALSE(server.give(frame_of(wire::Ping{}, 0)));
}

TEST_CASE("a lost transport ends every conversation once, and nothing opens afterwards") {
  MuxPair pair(13);
  const auto sent = pair.download(8u << 20, Hold::kYes);
  pair.pump();
  auto silent = std::make_shared<Outcome>();
  REQUIRE(pair.client.mux.open([&](StreamPort& port) { return std::make_shared<Consumer>(port, Hold::kNo, silent); }));
  pair.client.mux.on_transport_closed({Code::kNetwork, "The cable was pulled."});
  for (const auto& outcome : {sent, silent}) {
    REQUIRE(outcome->closed);
    CHECK(outcome->closed->code == Code::kNetwork);
    outcome->closed.reset();
  }
  pair.client.mux.on_transport_closed({Code::kNetwork, "again"});
  CHECK_FALSE(sent->closed);
  CHECK_FALSE(pair.client.mux.open([](StreamPort&) { return nullptr; }));
}

TEST_CASE("GOAWAY and PING reach the other side") {
  MuxPair pair(14);
  pair.server.mux.send_goaway({1000, 2000, "restart"});
  pair.client.mux.ping(77);
  pair.pump();
  CHECK(pair.client.goaways == 1);
  CHECK(pair.server.sent.count(FrameType::kPong) == 1);
}

TEST_CASE("after GOAWAY neither side begins anything new, and what is open goes on") {
  MuxPair pair(15);
  const auto before = pair.download(400'000);
  pair.server.mux.send_goaway({1000, 2000, "restart"});
  // The client does not know yet; its request crosses the word on the wire.
  const auto crossing = pair.download(10);
  pair.pump();
  REQUIRE(crossing->closed);
  CHECK(crossing->closed->code == Code::kBusy);
  const auto refused = pair.client.mux.open([](StreamPort&) { return nullptr; });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kBusy);
  // Nor did the first reach the server before it left.
  REQUIRE(before->closed);
  CHECK(before->closed->code == Code::kBusy);
}

TEST_CASE("a stream that was open before GOAWAY ends as if nothing were") {
  MuxPair pair(16);
  const auto open = pair.download(900'000, Hold::kYes);
  pair.pump();
  CHECK_FALSE(open->done);
  pair.server.mux.send_goaway({1000, 2000, "restart"});
  for (std::uint64_t released = 0; !open->done && released < open->received;) {
    open->port->release_credit(open->received - std::exchange(released, open->received));
    pair.pump();
  }
  CHECK(open->done);
  CHECK(open->received == 900'000);
  CHECK_FALSE(open->closed);
}
