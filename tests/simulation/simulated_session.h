// A multiplexer on a simulated wire, as session/session.h has it on a real one: when it reads, what it counts, where
// its jobs run.
#pragma once

#include "base/peer_watch.h"
#include "simulation/simulated_lanes.h"
#include "simulation/simulated_wire.h"

namespace millrace::simulation {

class SimulatedSession final : public Mux::Owner,
                               public WireEnd,
                               public std::enable_shared_from_this<SimulatedSession> {
 public:
  using Accept = std::function<Result<std::shared_ptr<Conversation>>(FrameType, ByteView, StreamPort&)>;
  SimulatedSession(std::shared_ptr<SimulatedLoop> loop, SimulatedLanes& lanes, std::shared_ptr<SimulatedWire> wire,
                   int side, Accept accept, std::function<void()> on_closed, std::shared_ptr<MemoryBudget> budget);
  void start();
  Mux& mux() { return mux_; }
  SimulatedWire& wire() { return *wire_; }
  /// The connection is given up on this side.
  void close(const Error& error);
  bool is_closed() const { return is_closed_; }
  /// Jobs under way or waiting.
  std::size_t jobs() const { return jobs_; }
  /// About once a second; see Session::watch.
  void watch(const PeerRules& rules, std::uint64_t now_ms);
  /// Reading stopped because the budget is used up.
  bool is_starved() const { return is_starved_; }
  void read_again();
  void set_guest(bool is_guest) { is_guest_ = is_guest; }

  void on_bytes(ByteView bytes) override;
  void on_room() override { flush(); }
  void on_cut() override;
  bool is_reading() override;

  void wants_write() override;
  void run(JobKind kind, std::function<void()> work, std::function<void()> done) override;
  void run_deferred(JobKind kind, std::function<void(std::function<void()>)> work, std::function<void()> done) override;
  Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) override;
  Link link() const override { return link_; }
  void on_goaway(const wire::GoAway&) override {}
  std::shared_ptr<MemoryBudget> budget() const override { return budget_; }
  std::function<void(std::function<void()>)> poster() override;

 private:
  void flush();
  std::shared_ptr<SimulatedLoop> loop_;
  SimulatedLanes& lanes_;
  const SimulatedLanes::Owner owner_;
  std::shared_ptr<SimulatedWire> wire_;
  const int side_;
  Accept accept_;
  std::function<void()> on_closed_;
  std::shared_ptr<MemoryBudget> budget_;
  Link link_;
  std::size_t jobs_ = 0;
  bool is_started_ = false;
  bool is_flushing_ = false;
  bool is_closed_ = false;
  bool is_starved_ = false;
  bool is_guest_ = false;
  std::optional<Error> closing_;
  std::optional<std::uint64_t> closing_since_;
  PeerWatch peer_watch_;
  Mux mux_;  ///< last: it calls its owner from its constructor
};

}  // namespace millrace::simulation
