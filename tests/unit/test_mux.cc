#include <catch2/catch.hpp>

#include <deque>

#include "base/random.h"
#include "support/bytes.h"
#include "sync/mux.h"

using namespace millrace;

namespace {

/// Sends what it was given as DATA, collects what comes back, and counts.
struct Talk final : Conversation {
  explicit Talk(StreamPort& given) : port(given) {}
  Status on_message(FrameType type, ByteView) override {
    ++messages;
    if (type == FrameType::kDone) finished = true;
    return {};
  }
  Status on_data(ByteView bytes) override {
    append(got, bytes);
    if (release) port.release_credit(bytes.size());
    if (echo) port.send_data(SharedBytes::of(Buffer(bytes.begin(), bytes.end())));
    if (fail_at != 0 && got.size() >= fail_at) return fail(Code::kFailed, "on purpose");
    return {};
  }
  void on_closed(const Error& error) override { closed = error; }
  StreamPort& port;
  Buffer got;
  int messages = 0;
  bool release = true;
  bool echo = false;
  bool finished = false;
  std::size_t fail_at = 0;
  std::optional<Error> closed;
};

struct Side : Mux::Owner {
  explicit Side(Mux::Role role, wire::Hello hello = {}) : mux(role, hello, *this) {}
  void wants_write() override {}
  void run(JobKind, std::function<void()>, std::function<void()>) override {}
  Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView, StreamPort& port) override {
    if (type == FrameType::kVerify) return fail(Code::kUsage, "not this one");
    auto talk = std::make_shared<Talk>(port);
    if (prepare) prepare(*talk);
    accepted.push_back(talk);
    return talk;
  }
  void on_goaway(const wire::GoAway&) override { ++goaways; }
  std::function<void(Talk&)> prepare;
  std::vector<std::shared_ptr<Talk>> accepted;
  int goaways = 0;
  Mux mux;
};

struct Fixture {
  explicit Fixture(wire::Hello client_hello = {}, wire::Hello server_hello = {})
      : client(Mux::Role::kClient, client_hello), server(Mux::Role::kServer, server_hello) {}

  Status carry(Side& from, Side& to, bool& moved) {
    for (int pieces = 0; pieces < 5; ++pieces) {
      const auto piece = from.mux.next_output();
      if (!piece) return {};
      moved = true;
      Buffer bytes = piece->header;
      append(bytes, piece->payload.view);
      for (ByteView rest(bytes); !rest.empty();) {
        const ByteView part = rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(20'000)));
        rest = rest.subspan(part.size());
        MILLRACE_TRY(to.mux.on_bytes(part));
      }
    }
    return {};
  }
  Status run() {
    for (bool moved = true; moved;) {
      moved = false;
      MILLRACE_TRY(carry(client, server, moved));
      MILLRACE_TRY(carry(server, client, moved));
    }
    return {};
  }
  std::shared_ptr<Talk> open(const Buffer& data = {}) {
    std::shared_ptr<Talk> talk;
    const auto id = client.mux.open([&](StreamPort& port) {
      talk = std::make_shared<Talk>(port);
      port.send(wire::List{});
      if (!data.empty()) port.send_data(SharedBytes::of(data));
      return talk;
    });
    if (!id) return nullptr;
    last_id = *id;
    return talk;
  }

  Side client;
  Side server;
  SeededRandom random{11};
  std::uint32_t last_id = 0;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "many streams echo more than their windows, each its own bytes") {
  server.prepare = [](Talk& talk) { talk.echo = true; };
  std::vector<std::pair<Buffer, std::shared_ptr<Talk>>> talks;
  for (std::uint64_t i = 0; i < 20; ++i) {
    Buffer data = test::random_bytes(600'000 + i, i);
    auto talk = open(data);
    REQUIRE(talk);
    talks.emplace_back(std::move(data), talk);
  }
  REQUIRE(run());
  for (const auto& [data, talk] : talks) CHECK(talk->got == data);
}

TEST_CASE_METHOD(Fixture, "without credit a sender stops at its window and goes on when credit comes") {
  server.prepare = [](Talk& talk) { talk.release = false; };
  auto talk = open(test::random_bytes(700'000, 1));
  REQUIRE(run());
  REQUIRE(server.accepted.size() == 1);
  CHECK(server.accepted[0]->got.size() == 256 * 1024);
  CHECK(talk->port.unsent_bytes() == 700'000 - 256 * 1024);
  server.accepted[0]->release = true;
  server.accepted[0]->port.release_credit(256 * 1024);
  REQUIRE(run());
  CHECK(server.accepted[0]->got.size() == 700'000);
}

TEST_CASE_METHOD(Fixture, "an error or a cancel ends one stream, the others live on") {
  server.prepare = [this](Talk& talk) {
    talk.echo = true;
    if (server.accepted.empty()) talk.fail_at = 1000;
  };
  auto bad = open(test::random_bytes(5000, 1));
  auto cancelled = open(test::random_bytes(500'000, 2));
  const std::uint32_t id = last_id;
  const Buffer data = test::random_bytes(400'000, 3);
  auto good = open(data);
  client.mux.cancel(id);
  REQUIRE(run());
  REQUIRE(bad->closed);
  CHECK(bad->closed->sentence == "on purpose");
  REQUIRE(cancelled->closed);
  CHECK(cancelled->closed->code == Code::kCancelled);
  CHECK_FALSE(good->closed);
  CHECK(good->got == data);
}

TEST_CASE_METHOD(Fixture, "a request that is refused says why") {
  std::shared_ptr<Talk> talk;
  REQUIRE(client.mux.open([&](StreamPort& port) {
    talk = std::make_shared<Talk>(port);
    port.send(wire::Verify{"x"});
    return talk;
  }));
  REQUIRE(run());
  REQUIRE(talk->closed);
  CHECK(talk->closed->sentence == "not this one");
}

TEST_CASE("no more requests at once than the server takes") {
  wire::Hello hello;
  hello.max_streams = 3;
  Fixture fixture({}, hello);
  REQUIRE(fixture.run());
  for (int i = 0; i < 3; ++i) CHECK(fixture.open());
  CHECK_FALSE(fixture.open());
}

TEST_CASE("versions that do not meet end the connection with a sentence") {
  wire::Hello future;
  future.min_version = 9;
  future.max_version = 9;
  Fixture fixture(future);
  const Status status = fixture.run();
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Code::kVersion);
}

TEST_CASE_METHOD(Fixture, "foreign greetings are named at the first bytes") {
  for (const char* greeting : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02", "SSH-2.0-x\r\n"}) {
    Side fresh(Mux::Role::kServer);
    const Status status = fresh.mux.on_bytes(as_bytes(greeting));
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Code::kProtocol);
  }
}

TEST_CASE_METHOD(Fixture, "unknown frames are skipped unless they must be understood") {
  REQUIRE(run());
  Buffer skipped;
  append_frame_header(skipped, {200, 0, 0, 2});
  append(skipped, as_bytes("xy"));
  CHECK(server.mux.on_bytes(skipped));
  Buffer refused;
  append_frame_header(refused, {200, kMustUnderstand, 1, 0});
  const Status status = server.mux.on_bytes(refused);
  REQUIRE_FALSE(status);
  CHECK(status.error().sentence.find("200") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "who sends more than its credit, or asks without reading the answers, is cut off") {
  REQUIRE(run());
  server.prepare = [](Talk& talk) { talk.release = false; };
  open();
  REQUIRE(run());
  const Buffer payload(kMaxFramePayload, Byte{1});
  Buffer data;
  append_frame_header(data, {0, 0, last_id, kMaxFramePayload});
  append(data, payload);
  CHECK(server.mux.on_bytes(data));
  CHECK_FALSE(server.mux.on_bytes(data));

  Side other(Mux::Role::kServer);
  Buffer hello;
  const Buffer text = wire::encode(wire::Hello{});
  append_frame_header(hello, {static_cast<std::uint8_t>(FrameType::kHello), kMustUnderstand, 0,
                              static_cast<std::uint32_t>(text.size())});
  append(hello, text);
  REQUIRE(other.mux.on_bytes(hello));
  Buffer ping;
  const Buffer token = wire::encode(wire::Ping{1});
  append_frame_header(ping, {static_cast<std::uint8_t>(FrameType::kPing), kMustUnderstand, 0,
                             static_cast<std::uint32_t>(token.size())});
  append(ping, token);
  bool cut_off = false;
  for (int i = 0; i < 3'000'000 && !cut_off; ++i) cut_off = !other.mux.on_bytes(ping);
  CHECK(cut_off);
}

TEST_CASE_METHOD(Fixture, "a lost connection ends every conversation once") {
  auto talk = open();
  REQUIRE(run());
  client.mux.on_transport_closed({Code::kNetwork, "gone"});
  REQUIRE(talk->closed);
  CHECK(talk->closed->code == Code::kNetwork);
  server.mux.send_goaway({1, 2, "bye"});
}
