// One side of a connection that an input drives, for the targets of the multiplexer. The input is a sequence of records
// of what the peer sends: a byte that is a frame's type, its flags, its stream and its payload with the length before
// it, so that a changed length leaves the rest a sequence of frames; or one of the bytes below.
#pragma once

#include <deque>

#include "fuzz/fuzz.h"
#include "support/feed_in_place.h"

namespace millrace::fuzz {

constexpr Byte kRawBytes = 255;   ///< no frame: bytes with their length before them
constexpr Byte kRunAll = 254;     ///< all jobs run, all output is taken
constexpr Byte kRunOneJob = 253;  ///< the first job runs, output stays

class MuxSide final : public Mux::Owner {
 public:
  using Accept = std::function<Result<std::shared_ptr<Conversation>>(FrameType, ByteView, StreamPort&)>;
  /// `accept`: null on a client, which has no budget either.
  MuxSide(Mux::Role role, Accept accept)
      : accept_(std::move(accept)),
        budget_(accept_ ? std::make_shared<MemoryBudget>(MemoryBudget::kLeast) : nullptr),
        mux(role, {}, *this) {}

  void wants_write() override {}
  void run(JobKind, std::function<void()> work, std::function<void()> done) override {
    calls_.push_back([work = std::move(work), done = std::move(done)] {
      work();
      done();
    });
  }
  Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) override {
    require(accept_ != nullptr, "a client is asked for nothing");
    return accept_(type, payload, port);
  }
  std::shared_ptr<MemoryBudget> budget() const override { return budget_; }
  std::function<void(std::function<void()>)> poster() override {
    return [this](std::function<void()> call) { calls_.push_back(std::move(call)); };
  }
  void on_goaway(const wire::GoAway&) override {}

  /// False once the connection is broken.
  bool feed(ByteView bytes) {
    if (test::feed_in_place(mux, bytes)) return true;
    require(!mux.on_bytes({}), "an error is given again");
    return false;
  }
  bool run_one() {
    if (calls_.empty()) return false;
    const auto call = std::move(calls_.front());
    calls_.pop_front();
    call();
    return true;
  }
  Buffer output() {
    Buffer out;
    while (const auto piece = mux.next_output()) {
      append(out, piece->header);
      append(out, piece->payload.view);
      require(out.size() < kMostOutput, "there is an end to what one flight brings about");
    }
    return out;
  }
  /// All jobs and those that they bring about. What is sent meanwhile.
  Buffer run_all() {
    Buffer out = output();
    for (std::size_t jobs = 0; run_one(); ++jobs) {
      append(out, output());
      require(jobs < kMostJobs, "there is an end to the jobs that one flight brings about");
    }
    return out;
  }
  /// What the records of an input say, to their end or that of the connection.
  void play(Input& input) {
    while (!input.done()) {
      const Byte kind = input.byte();
      if (kind == kRunAll) {
        run_all();
      } else if (kind == kRunOneJob) {
        run_one();
      } else if (kind == kRawBytes) {
        if (!feed(input.piece())) break;
      } else {
        const Byte flags = input.byte();
        const std::uint32_t stream = input.byte();
        const ByteView payload = input.piece();
        Buffer frame;
        append_frame_header(frame, {kind, flags, stream, static_cast<std::uint32_t>(payload.size())});
        append(frame, payload);
        if (!feed(frame)) break;
      }
    }
    run_all();
  }
  /// The connection is lost.
  void close() {
    mux.on_transport_closed({Code::kNetwork, "The connection is lost."});
    require(mux.open_streams() == 0, "no stream outlives its connection");
  }

 private:
  static constexpr std::size_t kMostOutput = 64u << 20;
  static constexpr std::size_t kMostJobs = 100'000;
  Accept accept_;
  std::shared_ptr<MemoryBudget> budget_;
  std::deque<std::function<void()>> calls_;

 public:
  Mux mux;  ///< behind what it asks for
};

/// For seeds: frames as records.
class Recorder final : public FrameDecoder::Sink {
 public:
  explicit Recorder(Buffer& records) : records_(records) {}
  void flight(ByteView bytes) {
    if (bytes.empty()) return;
    require(decoder_.feed(bytes, *this).has_value(), "an honest side sends frames");
    records_.push_back(kRunAll);
  }
  Status on_data(const FrameHeader& header, ByteView part, bool last) override {
    append(data_, part);
    if (!last) return {};
    return on_frame(header, std::exchange(data_, {}));
  }
  Status on_frame(const FrameHeader& header, ByteView payload) override {
    records_.push_back(header.type);
    records_.push_back(header.flags);
    records_.push_back(static_cast<Byte>(header.stream));
    append_piece(records_, payload);
    return {};
  }

 private:
  Buffer& records_;
  Buffer data_;
  FrameDecoder decoder_;
};

}  // namespace millrace::fuzz
