// A client's and a server's multiplexer, connected in memory: bytes are cut at random places, jobs run in line but
// finish later. Everything is decided by one seed.
#pragma once

#include <deque>

#include "base/random.h"
#include "support/feed_in_place.h"
#include "sync/mux.h"
#include "sync/server_conversations.h"

namespace millrace::test {

class Loopback {
 public:
  Loopback(std::uint64_t seed, ServerContext context)
      : random_(seed),
        context_(with_cache(std::move(context))),
        client_(*this, Mux::Role::kClient),
        server_(*this, Mux::Role::kServer) {}

  Mux& client() { return client_.mux; }
  /// In the place of make_server_conversation() with nobody in particular.
  using Accept = std::function<Result<std::shared_ptr<Conversation>>(FrameType, ByteView, StreamPort&)>;
  Accept on_accept;
  std::uint64_t bytes_to_server() const { return client_.sent; }
  std::uint64_t bytes_to_client() const { return server_.sent; }
  std::size_t server_jobs() const { return server_.jobs; }

  /// Until nothing moves any more, or so many bytes have gone to the server.
  void run(std::uint64_t until = UINT64_MAX) {
    for (bool moved = true; moved && client_.sent < until;) {
      moved = false;
      while (!done_.empty()) {
        const auto next = std::move(done_.front());
        done_.pop_front();
        next();
        moved = true;
      }
      moved |= carry(client_, server_);
      moved |= carry(server_, client_);
    }
  }

 private:
  static ServerContext with_cache(ServerContext context) {
    context.signatures = std::make_shared<SignatureCache>(1 << 20);
    return context;
  }
  struct Side : Mux::Owner {
    Side(Loopback& given, Mux::Role role) : loopback(given), mux(role, {}, *this) {}
    void wants_write() override {}
    void run(JobKind, std::function<void()> work, std::function<void()> done) override {
      ++jobs;
      work();
      loopback.done_.push_back(std::move(done));
    }
    Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) override {
      if (loopback.on_accept) return loopback.on_accept(type, payload, port);
      return make_server_conversation(loopback.context_, Principal{}, type, payload, port);
    }
    void on_goaway(const wire::GoAway&) override {}
    Loopback& loopback;
    std::uint64_t sent = 0;
    std::size_t jobs = 0;
    Mux mux;
  };

  bool carry(Side& from, Side& to) {
    Buffer bytes;
    while (bytes.size() < 300'000) {
      const auto piece = from.mux.next_output();
      if (!piece) break;
      append(bytes, piece->header);
      append(bytes, piece->payload.view);
    }
    from.sent += bytes.size();
    for (ByteView rest(bytes); !rest.empty();) {
      const ByteView part = rest.first(std::min<std::size_t>(rest.size(), 1 + random_.below(50'000)));
      rest = rest.subspan(part.size());
      if (!feed_in_place(to.mux, part)) return false;
    }
    return !bytes.empty();
  }

  SeededRandom random_;
  ServerContext context_;
  std::deque<std::function<void()>> done_;
  Side client_;
  Side server_;
};

}  // namespace millrace::test
