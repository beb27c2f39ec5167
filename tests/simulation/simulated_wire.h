// A connection: bytes both ways, in their order, in portions and after delays of the network's choice. It may stand
// still for a while, and break at any byte; each side learns of that in its own time.
#pragma once

#include <deque>
#include <memory>

#include "simulation/simulation.h"
#include "sync/mux.h"

namespace millrace::simulation {

/// One side of a connection.
class WireEnd {
 public:
  virtual ~WireEnd() = default;
  virtual void on_bytes(ByteView bytes) = 0;
  /// There is room for more.
  virtual void on_room() = 0;
  virtual void on_cut() = 0;
  /// Nothing comes while it does not read.
  virtual bool is_reading() = 0;
};

class SimulatedWire : public std::enable_shared_from_this<SimulatedWire> {
 public:
  SimulatedWire(Simulation& simulation, std::uint64_t room) : simulation_(simulation), room_(room) {}
  void connect(int side, std::weak_ptr<WireEnd> end) { ends_[side] = std::move(end); }

  /// Whether `side` may send more now.
  bool has_room(int side) const { return !is_cut_ && ways_[side].bytes < room_; }
  std::uint64_t pending(int side) const { return ways_[side].bytes; }
  void send(int side, Mux::Piece piece);
  /// `side` reads again.
  void resume(int side) { deliver_later(1 - side); }
  /// Bytes on their way to `side`.
  std::uint64_t unread(int side) const { return ways_[1 - side].bytes; }
  void stall(std::int64_t ns);
  /// A side that closes it, -1: the network; what is on its way may still arrive.
  void cut(int by);

 private:
  struct Way {
    std::deque<Mux::Piece> pieces;
    std::size_t taken = 0;  ///< of the first
    std::uint64_t bytes = 0;
    bool is_waiting = false;
  };
  void deliver_later(int from);
  void deliver(int from);
  void tell(int side);
  Simulation& simulation_;
  const std::uint64_t room_;
  Way ways_[2];  ///< by sender
  std::weak_ptr<WireEnd> ends_[2];
  std::int64_t stalled_until_ = 0;
  bool is_cut_ = false;
};

}  // namespace millrace::simulation
