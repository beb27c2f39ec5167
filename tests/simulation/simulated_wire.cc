#include "simulation/simulated_wire.h"

#include <algorithm>

#include "simulation/simulated_lanes.h"

namespace millrace::simulation {

void SimulatedWire::send(int side, Mux::Piece piece) {
  if (is_cut_) return;
  Way& way = ways_[side];
  way.bytes += piece.header.size() + piece.payload.view.size();
  way.pieces.push_back(std::move(piece));
  deliver_later(side);
}

void SimulatedWire::deliver_later(int from) {
  Way& way = ways_[from];
  if (way.is_waiting || way.bytes == 0) return;
  way.is_waiting = true;
  const std::int64_t stalled = std::max<std::int64_t>(0, stalled_until_ - simulation_.clock.now());
  simulation_.clock.after(stalled + some_time(simulation_.random), 0, [self = shared_from_this(), from] {
    self->ways_[from].is_waiting = false;
    self->deliver(from);
  });
}

void SimulatedWire::deliver(int from) {
  Way& way = ways_[from];
  const auto to = ends_[1 - from].lock();
  if (!to || way.bytes == 0) return;
  if (stalled_until_ > simulation_.clock.now()) return deliver_later(from);
  if (!to->is_reading()) return;  // resume() goes on
  std::uint64_t most = 1 + simulation_.random.below(std::uint64_t{1} << simulation_.random.below(18));
  Buffer portion;
  while (most > 0 && !way.pieces.empty()) {
    const Mux::Piece& piece = way.pieces.front();
    const std::size_t size = piece.header.size() + piece.payload.view.size();
    const auto count = std::min<std::uint64_t>(most, size - way.taken);
    for (std::size_t left = count; left > 0;) {
      const bool in_header = way.taken < piece.header.size();
      const ByteView rest = in_header ? ByteView(piece.header).subspan(way.taken)
                                      : piece.payload.view.subspan(way.taken - piece.header.size());
      const ByteView part = rest.first(std::min(left, rest.size()));
      append(portion, part);
      way.taken += part.size();
      left -= part.size();
    }
    most -= count;
    if (way.taken < size) break;
    way.taken = 0;
    way.pieces.pop_front();
  }
  way.bytes -= portion.size();
  simulation_.trace.count(portion.size());
  to->on_bytes(portion);
  if (const auto sender = ends_[from].lock(); sender && !is_cut_) sender->on_room();
  if (way.bytes > 0) deliver_later(from);
}

void SimulatedWire::stall(std::int64_t ns) {
  stalled_until_ = std::max(stalled_until_, simulation_.clock.now() + ns);
}

void SimulatedWire::cut(int by) {
  if (is_cut_) return;
  is_cut_ = true;
  for (const int side : {0, 1}) {
    if (side != by) tell(side);
  }
  if (by < 0) return;
  ends_[by].reset();
  // What was sent is the network's now.
  for (Mux::Piece& piece : ways_[by].pieces) {
    append(piece.header, piece.payload.view);
    piece.payload = {};
  }
}

void SimulatedWire::tell(int side) {
  simulation_.clock.after(some_time(simulation_.random) * 2, 0, [self = shared_from_this(), side] {
    const auto end = std::exchange(self->ends_[side], {}).lock();
    self->ways_[0] = {};
    self->ways_[1] = {};
    if (end) end->on_cut();
  });
}

}  // namespace millrace::simulation
