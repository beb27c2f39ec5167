// A multiplexer on a stream: the piece that server and client share. Lives and dies on one loop.
#pragma once

#include "base/peer_watch.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/throttle.h"
#include "sync/mux.h"

namespace millrace {

class Session : public Mux::Owner, public std::enable_shared_from_this<Session> {
 public:
  using Accept = std::function<Result<std::shared_ptr<Conversation>>(FrameType, ByteView, StreamPort&)>;
  /// `accept` is null on a client. `on_closed` is called once; the session may be dropped then.
  Session(Loop& loop, std::unique_ptr<Stream> stream, Mux::Role role, Accept accept,
          std::function<void(const Error&)> on_closed, std::shared_ptr<MemoryBudget> budget = nullptr);
  /// With a budget: called when reading stopped because it is used up. read_again() goes on.
  void set_on_starved(std::function<void()> on_starved) { on_starved_ = std::move(on_starved); }
  void read_again();
  /// One that reads although the budget is used up, so that there is always one that does.
  void set_guest(bool is_guest) { is_guest_ = is_guest; }
  /// A server calls it about once a second: ends transfers that waited too long for memory, and the connection of a
  /// peer that is too slow. Returns how many transfers it ended.
  std::size_t watch(const PeerRules& rules, std::uint64_t now_ms);
  bool is_closing() const { return closed_ || closing_; }
  bool is_too_slow() const { return closing_ && closing_->code == Code::kTooSlow; }
  /// Server: decides about the peer; see Mux::Owner::on_authenticate. Before start().
  using Gate = std::function<void(std::optional<std::string> token)>;
  void set_gate(Gate gate) { gate_ = std::move(gate); }
  void admit(const std::optional<wire::Authenticated>& answer);
  /// The peer is told why, and what it still sends is dropped until it has read that, or some seconds have passed: a
  /// socket that is closed over unread bytes would drop the last words.
  void turn_away(const Error& error);
  void set_on_authenticated(std::function<void(const wire::Authenticated&)> call) {
    on_authenticated_ = std::move(call);
  }
  /// From now on nothing moves while it says so.
  void set_meter(Meter meter) { throttle_.set_meter(std::move(meter), moved()); }
  void start();
  /// Says GOAWAY: what is open goes on. Called again and again: closes with kBusy once nothing is open or on its way,
  /// from within this call only.
  void leave(const wire::GoAway& message);
  /// Called at each GOAWAY of the peer's.
  void set_on_goaway(std::function<void(const wire::GoAway&)> on_goaway) { on_goaway_ = std::move(on_goaway); }
  Mux& mux() { return mux_; }
  Stream& stream() { return *stream_; }
  void close(const Error& error);

  void wants_write() override;
  void run(JobKind kind, std::function<void()> work, std::function<void()> done) override;
  void run_deferred(JobKind kind, std::function<void(std::function<void()>)> work, std::function<void()> done) override;
  Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) override;
  bool has_gate() const override { return static_cast<bool>(gate_); }
  void on_authenticate(std::optional<std::string> token) override { gate_(std::move(token)); }
  void on_authenticated(const wire::Authenticated& message) override;
  Link link() const override;
  void on_goaway(const wire::GoAway& message) override;
  std::shared_ptr<MemoryBudget> budget() const override { return budget_; }
  std::function<void(std::function<void()>)> poster() override;

 private:
  void flush();
  /// What the call has to write leaves together: a message at a time costs as many system calls here and wakes the peer
  /// as often.
  template <typename Call>
  void in_one_go(const Call& call);
  void end_job(const std::function<void()>& done);
  bool may_read() const;
  /// Bytes in both directions.
  std::uint64_t moved() const { return stream_->bytes_read() + stream_->bytes_written(); }
  void finish_closing();
  Loop& loop_;
  const Lanes::Owner owner_;  ///< of its jobs
  std::unique_ptr<Stream> stream_;
  Accept accept_;
  std::function<void(const Error&)> on_closed_;
  std::shared_ptr<MemoryBudget> budget_;
  std::function<void()> on_starved_;
  std::function<void(const wire::GoAway&)> on_goaway_;
  bool starved_ = false;  ///< reads nothing because the budget is used up
  bool is_guest_ = false;
  std::size_t jobs_ = 0;  ///< under way or waiting
  PeerWatch peer_watch_;
  Gate gate_;
  std::function<void(const wire::Authenticated&)> on_authenticated_;
  Throttle throttle_;
  std::optional<std::uint64_t> begun_ms_;
  bool said_all_ = false;
  bool lingers_ = false;  ///< the peer's bytes are dropped until it has closed
  std::optional<std::uint64_t> closing_since_;
  bool started_ = false;
  bool flushing_ = false;
  int gathering_ = 0;  ///< calls of in_one_go under way
  bool closed_ = false;
  bool leaving_ = false;
  std::optional<Error> closing_;  ///< close when the output has left
  Mux mux_;                       ///< last: it calls its owner from its constructor
};

}  // namespace millrace
