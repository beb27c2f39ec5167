#include <catch2/catch.hpp>

#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "net/listener.h"
#include "net/short_slices.h"
#include "net/tcp.h"

using namespace millrace;

SCENARIO("a job's work runs beside the loop and its end on it") {
  Loop loop;
  const auto here = std::this_thread::get_id();
  for (const Workers workers : {Workers::kCpu, Workers::kDisk, Workers::kCatalogue}) {
    std::thread::id worked;
    std::thread::id ended;
    loop.run_job(
        workers, [&] { worked = std::this_thread::get_id(); }, [&] { ended = std::this_thread::get_id(); });
    loop.run();
    CHECK(worked != here);
    CHECK(ended == here);
  }
}

SCENARIO("a thread that asks for short slices keeps its policy and priority") {
  std::thread([] {
    const int nice = getpriority(PRIO_PROCESS, 0);
    ask_for_short_slices();
    CHECK(sched_getscheduler(0) == SCHED_OTHER);
    CHECK(getpriority(PRIO_PROCESS, 0) == nice);
  }).join();
}

SCENARIO("a slow disk holds up no other lane") {
  Loop loop;
  std::atomic<bool> release{false};
  bool slow_ended = false;
  for (int i = 0; i < 8; ++i) {
    loop.run_job(
        Workers::kDisk,
        [&] {
          while (!release) std::this_thread::yield();
        },
        [&] { slow_ended = true; });
  }
  bool ended_first = false;
  loop.run_job(
      Workers::kCpu, [] {},
      [&] {
        ended_first = !slow_ended;
        release = true;
      });
  loop.run();
  CHECK(ended_first);
  CHECK(slow_ended);
}

namespace {

Buffer numbered(std::size_t bytes) {
  Buffer out(bytes);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Byte>(i * 7 + i / 251);
  return out;
}

/// A client's stream and that of a server, which is given `events`.
struct Served {
  explicit Served(TcpStream::Events events)
      : listener(
            TcpListener::listen(loop, "127.0.0.1", 0, [this, events = std::move(events)](Socket from, Descriptors) {
              served = std::make_unique<TcpStream>(loop);
              REQUIRE(served->adopt(std::move(from)));
              served->start(events);
            })) {
    REQUIRE(listener);
  }
  ~Served() {
    client.close();
    if (served) served->close();
    listener->reset();
  }
  void connected(const std::function<void(TcpStream&)>& then) {
    client.connect("127.0.0.1", std::to_string((*listener)->port()), [this, then](Status connected) {
      REQUIRE(connected);
      client.start({});
      then(client);
    });
  }
  void run_once() { uv_run(loop.raw(), UV_RUN_ONCE); }

  Loop loop;
  std::unique_ptr<TcpStream> served;
  Result<std::unique_ptr<TcpListener>> listener;
  TcpStream client{loop};
};

}  // namespace

SCENARIO("bytes arrive in order and both sides count them") {
  const Buffer sent = numbered(3'000'000);
  Buffer got;
  TcpStream::Events events;
  events.on_bytes = [&](ByteView bytes) { append(got, bytes); };
  Served pair(events);
  pair.connected([&](TcpStream& client) {
    client.write({{{1, 2, 3}, nullptr, {}}});
    std::vector<WritePiece> pieces;
    for (std::size_t at = 0; at < sent.size(); at += 500'000)
      pieces.push_back({{}, nullptr, ByteView(sent).subspan(at, 500'000)});
    client.write(std::move(pieces));
  });
  Buffer expected{1, 2, 3};
  append(expected, sent);
  while (got.size() < expected.size()) pair.run_once();
  CHECK(got == expected);
  CHECK(pair.client.bytes_written() == expected.size());
  CHECK(pair.served->bytes_read() == expected.size());
}

SCENARIO("bytes are read to where they are wanted, and anywhere while nothing is said") {
  const Buffer sent = numbered(1'000'000);
  Buffer got(sent.size());
  std::size_t arrived = 0;
  std::size_t in_place = 0;
  TcpStream::Events events;
  const auto place = [&] { return MutableBytes(got).subspan(arrived); };
  // In the first half and the last quarter, in turns in pieces of 10,000 bytes and to the end.
  events.space = [&, place] {
    const bool anywhere = arrived >= sent.size() / 2 && arrived < sent.size() / 4 * 3;
    const MutableBytes rest = place();
    return anywhere ? MutableBytes()
                    : rest.first(arrived % 3 == 0 ? rest.size() : std::min<std::size_t>(rest.size(), 10'000));
  };
  events.on_bytes = [&, place](ByteView bytes) {
    REQUIRE(bytes.size() <= place().size());
    if (bytes.data() == place().data()) {
      in_place += bytes.size();
    } else {
      std::memcpy(place().data(), bytes.data(), bytes.size());
    }
    arrived += bytes.size();
  };
  Served pair(events);
  pair.connected([&](TcpStream& client) { client.write({{{}, nullptr, sent}}); });
  while (arrived < sent.size()) pair.run_once();
  CHECK(got == sent);
  CHECK(in_place >= sent.size() / 2);
  CHECK(pair.served->bytes_read() == sent.size());
}

SCENARIO("the peer's last words are read before a failed write ends the connection") {
  GIVEN("a peer that takes nothing, and a client that does not read while it has so much to send") {
    std::signal(SIGPIPE, SIG_IGN);
    Loop loop;
    Socket peer;
    auto listener =
        TcpListener::listen(loop, "127.0.0.1", 0, [&](Socket from, Descriptors) { peer = std::move(from); });
    REQUIRE(listener);
    TcpStream client(loop);
    std::string got;
    int closed = 0;
    client.connect("127.0.0.1", std::to_string((*listener)->port()), [&](Status connected) {
      REQUIRE(connected);
      TcpStream::Events events;
      events.on_bytes = [&](ByteView bytes) {
        got.append(bytes.begin(), bytes.end());
        client.pause_reading();
      };
      events.on_closed = [&](const Error&) { ++closed; };
      client.start(std::move(events));
      client.pause_reading();
      for (int i = 0; i < 16; ++i) client.write({{Buffer(1 << 20), nullptr, {}}});
    });
    while (!peer.is_open() || client.bytes_written() == 0) uv_run(loop.raw(), UV_RUN_ONCE);
    WHEN("the peer says why and goes") {
      const std::string words = "goodbye";
      REQUIRE(::send(peer.descriptor(), words.data(), words.size(), 0) == static_cast<ssize_t>(words.size()));
      peer = Socket();
      while (closed == 0) uv_run(loop.raw(), UV_RUN_ONCE);
      THEN("the client has read it, and the end is told once") {
        CHECK(got == words);
        CHECK(closed == 1);
      }
    }
    client.close();
    listener->reset();
  }
}

SCENARIO("a port that is taken and a server that is not there are said so") {
  Loop loop;
  auto first = TcpListener::listen(loop, "127.0.0.1", 0, [](const Socket&, Descriptors) {});
  REQUIRE(first);
  const auto port = (*first)->port();
  const auto second = TcpListener::listen(loop, "127.0.0.1", port, [](const Socket&, Descriptors) {});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::kConflict);
  first->reset();
  TcpStream client(loop);
  Status status;
  client.connect("127.0.0.1", std::to_string(port), [&](Status result) { status = std::move(result); });
  loop.run();
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Code::kNetwork);
  client.close();
}
