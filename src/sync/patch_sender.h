// Sends a patch: plans parts, codes their literals on workers and queues them in order, never more than the stream
// takes.
#pragma once

#include <deque>
#include <memory>

#include "delta/part_encoder.h"
#include "delta/patch_writer.h"
#include "sync/stream.h"
#include "sync/toolbox.h"

namespace millrace {

struct PatchLimits {
  std::uint64_t raw_bytes = 1u << 20;  ///< literals of a part
  std::uint64_t window = 4u << 20;     ///< prefix and literals
  /// Literals of a part while they do not get shorter by coding: whoever is cut off within it fetches it again. With
  /// others a short part costs more, since each has its prefix indexed again.
  std::uint64_t uncoded_bytes = kMaxPartRawBytes;
  bool compresses = false;  ///< whether literals get shorter by coding, as far as that is known before the first part
  int level = 3;
  std::size_t in_flight = 2;  ///< parts coded at once: bounds a transfer's memory
};

/// What a zstd level is worth in prefix, within what the receiver decodes and what the transfer should hold; raw for a
/// receiver that has no zstd.
PatchLimits patch_limits(int level, const wire::Hello& receiver, std::uint64_t slice = StreamPort::kHighWater);

/// Owned by a conversation.
class PatchSender {
 public:
  PatchSender(StreamPort& port, std::shared_ptr<const Source> target, const Toolbox& toolbox, Addressing addressing,
              std::vector<Match> matches, PatchLimits limits, std::function<void(Error)> on_error,
              std::function<void()> on_queued = nullptr);

  void add_chunk(const TargetChunk& chunk) { planner_.add_chunk(chunk); }
  /// All chunks were added: the rest may go, and then the end with `root`.
  void end(const Digest& root);
  /// Goes on as far as chunks and the stream allow. Call after add_chunk() and from on_writable().
  void pump();
  /// Content of the target that is in memory, in order: literals are sent from it instead of being read again.
  void hold(HeldContent content) { held_.push_back(std::move(content)); }
  const PatchPlanner& planner() const { return planner_; }
  bool all_queued() const { return ended_queued_; }
  /// Called on the loop whenever a part was coded: there is room for more chunks.
  void set_on_progress(std::function<void()> on_progress) { on_progress_ = std::move(on_progress); }

 private:
  struct Work;
  /// From how a part was coded.
  void learn(const Work& work);
  /// Literals of the next part.
  std::uint64_t next_bytes() const;
  /// Memory for the next part's literals and prefix; pump() is called again once there is some.
  bool has_room();
  StreamPort& port_;
  std::shared_ptr<const Source> target_;
  Toolbox toolbox_;
  PatchPlanner planner_;
  PatchCursor cursor_;
  PatchLimits limits_;
  std::function<void(Error)> on_error_;
  std::function<void()> on_queued_;  ///< the end was queued
  std::function<void()> on_progress_;
  std::deque<HeldContent> held_;  ///< not planned yet
  std::deque<std::shared_ptr<Work>> in_flight_;
  std::optional<Digest> root_;
  MemoryCharge room_;
  bool has_room_ = false;
  bool asked_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  ///< gone with this: room that is given later is not taken
  bool coded_ = false;                                    ///< so was the last part that was tried
  /// So many literals go without another try at coding them: short parts are not tried more often than long ones.
  std::uint64_t as_they_are_ = 0;
  bool header_sent_ = false;
  bool ended_queued_ = false;
  bool failed_ = false;
};

}  // namespace millrace
