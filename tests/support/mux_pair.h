// Two multiplexers joined by a pipe in memory that cuts the bytes at random, with a listener on each direction that
// decodes every frame and checks that no sender exceeds its credit. And conversations that send and receive a known
// pattern.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <map>

#include "base/random.h"
#include "base/varint.h"
#include "support/feed_in_place.h"
#include "sync/mux.h"

namespace millrace::test {

inline Buffer frame_of(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, ByteView payload) {
  Buffer out;
  append_frame_header(out, {type, flags, stream, static_cast<std::uint32_t>(payload.size())});
  append(out, payload);
  return out;
}

template <typename Message>
Buffer frame_of(const Message& message, std::uint32_t stream, std::uint8_t flags = kMustUnderstand) {
  return frame_of(static_cast<std::uint8_t>(Message::kType), flags, stream, wire::encode(message));
}

/// All that a side has to send now.
inline Buffer all_output(Mux& mux) {
  Buffer out;
  while (auto piece = mux.next_output()) {
    append(out, piece->header);
    append(out, piece->payload.view);
  }
  return out;
}

/// All frames that went one way.
class Tap final : public FrameDecoder::Sink {
 public:
  struct Frame {
    FrameHeader header;
    Buffer payload;  ///< empty for DATA
  };
  Status on_data(const FrameHeader& header, ByteView part, bool last) override {
    data_[header.stream] += part.size();
    all_data_ += part.size();
    if (last) frames.push_back({header, {}});
    if (on_part) on_part(header.stream);
    return {};
  }
  Status on_frame(const FrameHeader& header, ByteView payload) override {
    frames.push_back({header, Buffer(payload.begin(), payload.end())});
    if (static_cast<FrameType>(header.type) == FrameType::kWindow) {
      const auto credit = wire::decode<wire::Window>(payload).value().credit;
      granted_[header.stream] += credit;
    }
    return {};
  }
  void feed(ByteView bytes) { REQUIRE(decoder_.feed(bytes, *this)); }
  std::uint64_t data(std::uint32_t stream) const { return data_.contains(stream) ? data_.at(stream) : 0; }
  std::uint64_t all_data() const { return all_data_; }
  std::uint64_t granted(std::uint32_t stream) const { return granted_.contains(stream) ? granted_.at(stream) : 0; }
  std::size_t count(FrameType type) const {
    std::size_t found = 0;
    for (const Frame& frame : frames) found += static_cast<FrameType>(frame.header.type) == type ? 1 : 0;
    return found;
  }
  /// The ERROR on a stream, or nothing.
  std::optional<wire::ErrorMessage> error(std::uint32_t stream) const {
    for (const Frame& frame : frames) {
      if (static_cast<FrameType>(frame.header.type) == FrameType::kError && frame.header.stream == stream) {
        return wire::decode<wire::ErrorMessage>(frame.payload).value();
      }
    }
    return std::nullopt;
  }
  std::vector<Frame> frames;
  std::function<void(std::uint32_t)> on_part;

 private:
  FrameDecoder decoder_;
  std::map<std::uint32_t, std::uint64_t> data_;
  std::map<std::uint32_t, std::uint64_t> granted_;
  std::uint64_t all_data_ = 0;
};

/// One side. Jobs run when the pump comes to them.
class Side final : public Mux::Owner {
 public:
  using Accept = std::function<Result<std::shared_ptr<Conversation>>(FrameType, ByteView, StreamPort&)>;
  Side(Mux::Role role, const wire::Hello& hello) : mux(role, hello, *this) {}
  void wants_write() override {}
  void run(JobKind, std::function<void()> work, std::function<void()> done) override {
    jobs.emplace_back(std::move(work), std::move(done));
  }
  Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) override {
    if (on_accept) return on_accept(type, payload, port);
    return fail(Code::kProtocol, "This side accepts nothing.");
  }
  void on_goaway(const wire::GoAway&) override { ++goaways; }
  /// Everything that it has to send now.
  Buffer output() {
    Buffer out = all_output(mux);
    sent.feed(out);
    return out;
  }
  Accept on_accept;
  std::deque<std::pair<std::function<void()>, std::function<void()>>> jobs;
  std::size_t goaways = 0;
  Tap sent;
  Mux mux;
};

inline Byte pattern(std::uint64_t offset) {
  return static_cast<Byte>(offset * 31 + (offset >> 8));
}

inline Buffer pattern_bytes(std::uint64_t offset, std::size_t count) {
  Buffer out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = pattern(offset + i);
  return out;
}

struct Outcome {
  std::optional<Error> closed;  ///< on_closed() came with this
  bool done = false;
  std::uint64_t received = 0;
  std::uint64_t most_unsent = 0;
  std::uint64_t pauses = 0;
  StreamPort* port = nullptr;
};
using OutcomePtr = std::shared_ptr<Outcome>;

/// Sends `total` bytes of the pattern, pausing at the high-water mark, and then a last message.
class Producer final : public Conversation {
 public:
  Producer(StreamPort& port, std::uint64_t total, OutcomePtr outcome)
      : port_(port), total_(total), outcome_(std::move(outcome)) {
    outcome_->port = &port;
  }
  void pump() {
    while (at_ < total_ && port_.unsent_bytes() < StreamPort::kHighWater) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(total_ - at_, 300'000));
      port_.send_data(SharedBytes::of(pattern_bytes(at_, count)));
      at_ += count;
      outcome_->most_unsent = std::max(outcome_->most_unsent, port_.unsent_bytes());
    }
    if (at_ < total_) {
      ++outcome_->pauses;
    } else if (!ended_) {
      ended_ = true;
      if (last_) port_.send_last(wire::Done{});
    }
  }
  /// An uploading client: DONE comes back instead.
  void await_answer() { last_ = false; }
  Status on_message(FrameType type, ByteView) override {
    if (type != FrameType::kDone) return millrace::fail(Code::kProtocol, "not DONE");
    outcome_->done = true;
    port_.finish();
    return {};
  }
  Status on_data(ByteView) override { return millrace::fail(Code::kProtocol, "no data expected"); }
  Status on_writable() override {
    pump();
    return {};
  }
  void on_closed(const Error& error) override { outcome_->closed = error; }

 private:
  StreamPort& port_;
  std::uint64_t total_;
  OutcomePtr outcome_;
  std::uint64_t at_ = 0;
  bool last_ = true;
  bool ended_ = false;
};

enum class Hold { kNo, kYes };

/// Receives the pattern and checks it; releases credit at once, or keeps all of it back.
class Consumer final : public Conversation {
 public:
  Consumer(StreamPort& port, Hold hold, OutcomePtr outcome, std::uint64_t total = 0)
      : port_(port), hold_(hold), outcome_(std::move(outcome)), total_(total) {
    outcome_->port = &port;
  }
  Status on_message(FrameType type, ByteView) override {
    if (type != FrameType::kDone) return millrace::fail(Code::kProtocol, "not DONE");
    outcome_->done = true;
    port_.finish();
    return {};
  }
  Status on_data(ByteView bytes) override {
    for (const Byte byte : bytes) {
      if (byte != pattern(outcome_->received++)) return millrace::fail(Code::kIntegrity, "The bytes are wrong.");
    }
    if (hold_ == Hold::kNo) port_.release_credit(bytes.size());
    if (total_ > 0 && outcome_->received == total_) {
      outcome_->done = true;
      port_.send_last(wire::Done{});
    }
    return {};
  }
  void on_closed(const Error& error) override { outcome_->closed = error; }

 private:
  StreamPort& port_;
  Hold hold_;
  OutcomePtr outcome_;
  std::uint64_t total_;
};

class MuxPair {
 public:
  explicit MuxPair(std::uint64_t seed, const wire::Hello& client_hello = {}, const wire::Hello& server_hello = {})
      : client(Mux::Role::kClient, client_hello), server(Mux::Role::kServer, server_hello), random_(seed) {
    watch(client.sent, server.sent, server_hello);
    watch(server.sent, client.sent, client_hello);
    // DOWNLOAD asks for `basis_bytes` of the pattern, UPLOAD announces `bytes` of it.
    server.on_accept = [this](FrameType type, ByteView payload,
                              StreamPort& port) -> Result<std::shared_ptr<Conversation>> {
      auto outcome = std::make_shared<Outcome>();
      served.push_back(outcome);
      if (type == FrameType::kDownload) {
        auto made =
            std::make_shared<Producer>(port, wire::decode<wire::Download>(payload).value().basis_bytes, outcome);
        made->pump();
        return made;
      }
      if (type == FrameType::kUpload)
        return std::make_shared<Consumer>(port, uploads, outcome, wire::decode<wire::Upload>(payload).value().bytes);
      return millrace::fail(Code::kNotFound, "refused by the test");
    };
  }

  OutcomePtr download(std::uint64_t bytes, Hold hold = Hold::kNo, std::uint32_t* handle = nullptr) {
    auto outcome = std::make_shared<Outcome>();
    const auto opened = client.mux.open([&](StreamPort& port) {
      auto made = std::make_shared<Consumer>(port, hold, outcome);
      wire::Download request;
      request.basis_bytes = bytes;
      port.send(request);
      return made;
    });
    REQUIRE(opened);
    if (handle != nullptr) *handle = *opened;
    return outcome;
  }

  OutcomePtr upload(std::uint64_t bytes, std::uint32_t* handle = nullptr) {
    auto outcome = std::make_shared<Outcome>();
    const auto opened = client.mux.open([&](StreamPort& port) {
      auto made = std::make_shared<Producer>(port, bytes, outcome);
      wire::Upload request;
      request.bytes = bytes;
      port.send(request);
      made->await_answer();
      made->pump();
      return made;
    });
    REQUIRE(opened);
    if (handle != nullptr) *handle = *opened;
    return outcome;
  }

  /// Carries bytes both ways in random pieces until nothing moves any more.
  void pump() {
    for (bool moved = true; moved;) {
      moved = carry(client, to_server_, server);
      moved = carry(server, to_client_, client) || moved;
    }
  }

  Side client;
  Side server;
  std::vector<OutcomePtr> served;
  Hold uploads = Hold::kNo;

 private:
  /// The sender's bytes never exceed what the receiver's HELLO and WINDOWs gave; before HELLO the defaults count.
  static void watch(Tap& sender, const Tap& receiver, const wire::Hello& limits) {
    sender.on_part = [&sender, &receiver, limits](std::uint32_t stream) {
      const wire::Hello standard;
      REQUIRE(sender.data(stream) <= std::max(limits.stream_window, standard.stream_window) + receiver.granted(stream));
      REQUIRE(sender.all_data() <=
              std::max(limits.connection_window, standard.connection_window) + receiver.granted(0));
    };
  }

  bool carry(Side& from, Buffer& pipe, Side& to) {
    append(pipe, from.output());
    if (pipe.empty()) return false;
    std::size_t at = 0;
    while (at < pipe.size()) {
      const std::uint64_t scale = std::uint64_t{1} << random_.below(17);
      const std::size_t count = std::min<std::size_t>(pipe.size() - at, 1 + random_.below(scale));
      const ByteView portion = ByteView(pipe).subspan(at, count);
      const auto status = random_.below(2) == 0 ? to.mux.on_bytes(portion) : feed_in_place(to.mux, portion);
      INFO((status ? std::string() : status.error().sentence));
      REQUIRE(status);
      at += count;
    }
    pipe.clear();
    while (!to.jobs.empty()) {
      auto [work, done] = std::move(to.jobs.front());
      to.jobs.pop_front();
      work();
      done();
    }
    return true;
  }

  SeededRandom random_;
  Buffer to_server_;
  Buffer to_client_;
};

}  // namespace millrace::test
