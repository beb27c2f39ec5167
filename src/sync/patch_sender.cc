#include "sync/patch_sender.h"

#include <algorithm>

namespace millrace {

PatchLimits patch_limits(int level, const wire::Hello& receiver, std::uint64_t slice) {
  // A longer prefix saves bytes and costs time for each part, since it is indexed again for every one. Level 3: as much
  // prefix as part.
  PatchLimits limits;
  limits.level = (receiver.codecs & wire::kZstd) != 0 ? level : 0;
  const bool thorough = level >= 9;
  limits.raw_bytes = thorough ? 2u << 20 : 4u << 20;
  limits.window = std::min<std::uint64_t>(thorough ? 16u << 20 : 8u << 20, receiver.max_segment);
  limits.raw_bytes = std::max<std::uint64_t>(std::min(limits.raw_bytes, limits.window), kMaxChunkBytes);
  limits.in_flight = thorough ? 1 : 2;
  if (slice < StreamPort::kHighWater) {
    // Two thirds are for a part and its prefix, the rest for what is on its way.
    limits.window = std::max<std::uint64_t>(std::min(limits.window, slice / 3 * 2), 2 * kMaxChunkBytes);
    limits.raw_bytes = std::max<std::uint64_t>(std::min(limits.raw_bytes, limits.window / 2), kMaxChunkBytes);
    limits.in_flight = 1;
  }
  return limits;
}

struct PatchSender::Work {
  PartPlan plan;
  Buffer instructions;
  std::vector<HeldContent> held;
  std::uint64_t start = 0;
  int level = 0;
  Result<EncodedPart> coded = EncodedPart();
  MemoryCharge room;
  bool done = false;
};

PatchSender::PatchSender(StreamPort& port, std::shared_ptr<const Source> target, const Toolbox& toolbox,
                         Addressing addressing, std::vector<Match> matches, PatchLimits limits,
                         std::function<void(Error)> on_error, std::function<void()> on_queued)
    : port_(port),
      target_(std::move(target)),
      toolbox_(toolbox),
      planner_(addressing, std::move(matches)),
      limits_(limits),
      on_error_(std::move(on_error)),
      on_queued_(std::move(on_queued)),
      coded_(limits.compresses) {
  cursor_.addressing = addressing;
}

void PatchSender::end(const Digest& root) {
  root_ = root;
  pump();
}

bool PatchSender::has_room() {
  if (has_room_) return true;
  const std::uint64_t left = target_->size() - std::min(target_->size(), planner_.position());
  const std::uint64_t bytes = std::min(limits_.window, left);
  if (bytes <= MemoryBudget::kSlice) {
    room_ = port_.charge(bytes);
    return has_room_ = true;
  }
  if (asked_) return false;
  asked_ = true;
  auto room = port_.reserve(bytes, [this, alive = std::weak_ptr<int>(alive_)](MemoryCharge given) {
    if (alive.expired()) return;
    asked_ = false;
    room_ = std::move(given);
    has_room_ = true;
    pump();
  });
  if (!room) return false;
  asked_ = false;
  room_ = std::move(*room);
  return has_room_ = true;
}

void PatchSender::learn(const Work& work) {
  const std::uint64_t raw = work.plan.literal_bytes;
  std::uint64_t bytes = 0;
  for (const SharedBytes& piece : work.coded->literals) bytes += piece.view.size();
  coded_ = bytes < raw;
  const bool tells = !coded_ && raw >= next_bytes() / 2 && next_bytes() < limits_.raw_bytes;
  as_they_are_ = tells ? limits_.raw_bytes - raw : 0;
}

std::uint64_t PatchSender::next_bytes() const {
  return coded_ ? limits_.raw_bytes
                : std::clamp<std::uint64_t>(limits_.uncoded_bytes, kMaxChunkBytes, limits_.raw_bytes);
}

void PatchSender::pump() {
  if (failed_ || ended_queued_) return;
  if (!header_sent_) {
    header_sent_ = true;
    port_.send_data(SharedBytes::of(encode_patch_header(limits_.window, cursor_.addressing)));
  }
  while (!in_flight_.empty() && in_flight_.front()->done) {
    const auto work = std::move(in_flight_.front());
    in_flight_.pop_front();
    if (!work->coded) {
      failed_ = true;
      on_error_(std::move(work->coded).error());
      return;
    }
    if (work->plan.literal_bytes > 0 && work->level > 0) learn(*work);
    port_.send_data(SharedBytes::of(std::move(work->coded->head)));
    for (SharedBytes& piece : work->coded->literals) port_.send_data(std::move(piece));
  }
  while (in_flight_.size() < limits_.in_flight && port_.unsent_bytes() < port_.slice()) {
    const std::uint64_t most_literals = next_bytes();
    const bool enough = root_ || planner_.pending_bytes() > most_literals + kMaxChunkBytes;
    if (!enough || !planner_.has_chunks() || !has_room()) break;
    const std::uint64_t start = planner_.position();
    auto plan = planner_.next_part(most_literals);
    auto room = std::exchange(room_, {});
    has_room_ = false;
    if (!plan) break;
    auto work = std::make_shared<Work>();
    if (plan->literal_bytes == 0) room.resize(0);
    work->room = std::move(room);
    work->plan = std::move(*plan);
    work->start = start;
    const bool as_they_are = work->plan.literal_bytes <= as_they_are_;
    work->level = as_they_are ? 0 : limits_.level;
    as_they_are_ -= as_they_are ? work->plan.literal_bytes : as_they_are_;
    work->instructions = encode_instructions(work->plan, cursor_);
    work->held.assign(held_.begin(), held_.end());
    while (!held_.empty() && held_.front().end() <= planner_.position()) held_.pop_front();
    in_flight_.push_back(work);
    port_.run(
        Lane::kCpu,
        [work, target = target_, window = limits_.window, factory = toolbox_.codec] {
          const auto codec = factory();
          work->coded = encode_part(work->plan, work->instructions, work->start, window, *target, work->held, *codec,
                                    work->level);
          work->held.clear();
        },
        [this, work] {
          work->done = true;
          pump();
          if (on_progress_ && !failed_) on_progress_();
        });
  }
  port_.note_counts({planner_.matched_bytes(), planner_.literal_bytes(), planner_.zero_bytes()});
  if (root_ && in_flight_.empty() && !planner_.has_chunks()) {
    PartPlan last;
    last.root = root_;
    const Buffer instructions = encode_instructions(last, cursor_);
    Buffer part = encode_part_header(instructions.size(), 0, 0, false);
    append(part, instructions);
    ended_queued_ = true;
    port_.send_data(SharedBytes::of(std::move(part)));
    if (on_queued_) on_queued_();
  }
}

}  // namespace millrace
