#include "sync/patch_receiver.h"

#include <algorithm>
#include <mutex>

#include "delta/patch_repairer.h"

namespace millrace {

namespace {
constexpr std::uint64_t kShortPart = 64u << 10;  ///< applied as quickly as a file is opened
}  // namespace

/// Shared with the job that runs, so that it may outlive the conversation.
struct PatchReceiver::State {
  State(PatchBasis basis, std::shared_ptr<Draft> kept, std::uint64_t max_bytes, const Toolbox& given)
      : draft(std::move(kept)), applier(std::move(basis), *draft, max_bytes), toolbox(given) {}
  std::shared_ptr<Draft> draft;
  PatchApplier applier;
  std::optional<PatchRepairer> repairer;
  Toolbox toolbox;
  std::unique_ptr<Hasher> hasher;
  std::unique_ptr<SegmentCodec> codec;
  Result<std::optional<Digest>> result = std::nullopt;
  std::mutex mutex;  ///< only ever waited for by rest()

  void apply(Queued& next, std::uint64_t window, Addressing addressing) {
    if (!hasher) hasher = toolbox.hasher();
    if (!codec) codec = toolbox.codec();
    next.taken = true;
    result = repairer ? repairer->apply(std::move(next.part), *hasher, *codec)
                      : applier.apply(std::move(next.part), window, addressing, *hasher, *codec);
  }
};

PatchReceiver::PatchReceiver(StreamPort& port, const Toolbox& toolbox, PatchBasis basis, std::shared_ptr<Draft> draft,
                             std::uint64_t max_bytes, std::function<void(const Digest&)> on_end,
                             std::function<void(Error)> on_error, AtEnd at_end)
    : port_(port),
      state_(std::make_shared<State>(std::move(basis), std::move(draft), max_bytes, toolbox)),
      assembler_(port.slice()),
      on_end_(std::move(on_end)),
      on_error_(std::move(on_error)),
      at_end_(std::move(at_end)) {}

PatchReceiver::~PatchReceiver() = default;

const PatchApplier& PatchReceiver::applier() const {
  return state_->applier;
}

void PatchReceiver::start_repair() {
  state_->repairer.emplace(*state_->draft);
  assembler_ = PartAssembler(port_.slice());
  ended_ = false;
}

Status PatchReceiver::on_data(ByteView bytes) {
  while (!bytes.empty()) {
    if (ended_) return fail(Code::kProtocol, "Bytes arrived after the end of a patch.");
    const std::size_t before = bytes.size();
    MILLRACE_ASSIGN(auto part, assembler_.feed(bytes));
    credit_ += before - bytes.size();
    if (part) {
      queue_.push_back({std::move(*part), credit_, std::exchange(room_, {})});
      has_room_ = false;
      credit_ = 0;
    } else if (queue_.empty()) {
      // A part larger than the window would wait for ever: what is held of it is bounded by the part's own limit.
      // Behind a part that waits for its turn the credit is kept back, so that at most two parts and a window are held.
      await_rest();
    }
  }
  pump();
  return {};
}

void PatchReceiver::await_rest() {
  if (credit_ == 0) return;
  const std::uint64_t bytes = assembler_.part_bytes();
  if (!has_room_ && bytes <= MemoryBudget::kSlice) {
    room_ = port_.charge(bytes);
    has_room_ = bytes > 0;
  } else if (!has_room_) {
    if (asked_) return;
    asked_ = true;
    auto room = port_.reserve(bytes, [this, alive = std::weak_ptr<int>(alive_)](MemoryCharge given) {
      if (alive.expired()) return;
      asked_ = false;
      // Meanwhile the part may have come to its end within the stream's window.
      if (given.bytes() == assembler_.part_bytes()) {
        room_ = std::move(given);
        has_room_ = true;
      }
      if (queue_.size() <= 1) await_rest();
    });
    if (!room) return;
    asked_ = false;
    room_ = std::move(*room);
    has_room_ = true;
  }
  if (has_room_) assembler_.take_rest();
  port_.release_credit(std::exchange(credit_, 0));
}

std::function<void()> PatchReceiver::rest() {
  auto parts = std::make_shared<std::vector<std::shared_ptr<Queued>>>();
  if (current_) parts->push_back(current_);
  for (Queued& queued : queue_) parts->push_back(std::make_shared<Queued>(std::move(queued)));
  queue_.clear();
  return [state = state_, parts, window = assembler_.prefix_window(), addressing = assembler_.addressing()] {
    // The job that runs may be at its end, not have begun, or never begin.
    const std::lock_guard lock(state->mutex);
    for (const auto& part : *parts) {
      if (!part->taken) state->apply(*part, window, addressing);
      if (!state->result || *state->result) return;
    }
  };
}

void PatchReceiver::pump() {
  if (running_ || queue_.empty()) return;
  running_ = true;
  auto next = std::make_shared<Queued>(std::move(queue_.front()));
  // What it becomes beside what has arrived: its literals and the prefix that they are decoded with. Only while a
  // worker has it: a thousand that wait for one hold nothing yet.
  auto decoded = std::make_shared<MemoryCharge>(port_.charge(0));
  const std::uint64_t decoded_bytes =
      next->part.is_zstd ? std::max(next->part.raw_bytes, assembler_.prefix_window()) : 0;
  queue_.pop_front();
  current_ = next;
  const bool is_short = next->part.raw_bytes + next->part.instructions.size() <= kShortPart;
  port_.run_deferred(
      {Lane::kDisk, is_short ? Urgency::kMetadata : Urgency::kBulk},
      [state = state_, next, decoded, decoded_bytes, window = assembler_.prefix_window(),
       addressing = assembler_.addressing(), at_end = is_short ? at_end_ : nullptr](std::function<void()> finished) {
        const std::lock_guard lock(state->mutex);
        if (next->taken) return finished();
        decoded->resize(decoded_bytes);
        state->apply(*next, window, addressing);
        decoded->resize(0);
        next->room.resize(0);
        if (!at_end || !state->result || !*state->result) return finished();
        at_end(**state->result, state->applier, state->repairer.has_value(), std::move(finished));
      },
      [this, next, is_short] {
        running_ = false;
        current_ = nullptr;
        if (!state_->result) {
          on_error_(std::move(state_->result).error());
          return;
        }
        const PatchApplier& applier = state_->applier;
        port_.note_counts({applier.matched_bytes(), applier.literal_bytes(), applier.zero_bytes()});
        port_.release_credit(next->credit);
        if (queue_.size() <= 1) await_rest();
        if (*state_->result) {
          ended_ = true;
          const Digest root = **state_->result;
          if (is_short || !at_end_) return end(root);
          return port_.run_deferred(
              {Lane::kDisk, Urgency::kMetadata},
              [state = state_, root, at_end = at_end_](std::function<void()> finished) {
                at_end(root, state->applier, state->repairer.has_value(), std::move(finished));
              },
              [this, root] { end(root); });
        }
        pump();
      });
}

void PatchReceiver::end(const Digest& root) {
  // Whoever is told may drop this.
  const auto on_end = on_end_;
  on_end(root);
}

}  // namespace millrace
