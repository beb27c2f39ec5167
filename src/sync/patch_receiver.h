// Receives a patch: cuts the stream's DATA into parts and applies them on a worker, one after the other. Credit is
// given back when a part was applied, so what is held is bounded by the stream's window and one part. For a part that
// is longer than a transfer's slice of the memory it first asks for room.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "delta/patch_applier.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

/// Owned by a conversation.
class PatchReceiver {
 public:
  /// What is to be done with a patch that has ended, on a worker of the disk's lane: the one that has applied its last
  /// part, if that was short, which spares a hand-over; else in a short job of its own, since it may flush a file and
  /// bulk jobs must not wait for that. `repaired`: the patch was a repair. As for run_deferred(), `finished` is called
  /// exactly once.
  using AtEnd = std::function<void(const Digest& root, const PatchApplier& applier, bool repaired,
                                   std::function<void()> finished)>;

  /// `on_end` is told the root that the patch names, after `at_end`, if there is one.
  PatchReceiver(StreamPort& port, const Toolbox& toolbox, PatchBasis basis, std::shared_ptr<Draft> draft,
                std::uint64_t max_bytes, std::function<void(const Digest&)> on_end, std::function<void(Error)> on_error,
                AtEnd at_end = nullptr);
  ~PatchReceiver();
  Status on_data(ByteView bytes);
  /// See Conversation::data_space().
  MutableBytes data_space() { return assembler_.space(); }
  const PatchApplier& applier() const;
  bool busy() const { return running_; }
  /// A part has come in part.
  bool in_part() const { return assembler_.part_bytes() > 0; }
  /// The conversation has ended before the patch: what had arrived and was not applied, for a worker to apply, as far
  /// as it can be.
  std::function<void()> rest();
  /// The patch has ended with a wrong root: a repair of the same draft follows.
  void start_repair();

 private:
  struct State;
  struct Queued {
    ReceivedPart part;
    std::uint64_t credit;
    MemoryCharge room;
    bool taken = false;  ///< by a job, under the state's lock
  };
  void pump();
  void end(const Digest& root);
  /// The rest of a part that is longer than what has come of it: its credit is given back once there is room for it.
  void await_rest();
  StreamPort& port_;
  std::shared_ptr<State> state_;
  PartAssembler assembler_;
  std::deque<Queued> queue_;
  std::shared_ptr<Queued> current_;  ///< of the job that runs
  std::uint64_t credit_ = 0;
  MemoryCharge room_;      ///< for the part that is arriving
  bool has_room_ = false;  ///< it was given, if only by a port that counts nothing
  bool asked_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  ///< gone with this: room that is given later is not taken
  std::function<void(const Digest&)> on_end_;
  std::function<void(Error)> on_error_;
  AtEnd at_end_;
  bool running_ = false;
  bool ended_ = false;
};

}  // namespace millrace
