#include "sync/patch_receiver.h"

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
};

PatchReceiver::PatchReceiver(StreamPort& port, const Toolbox& toolbox, PatchBasis basis, std::shared_ptr<Draft> draft,
                             std::uint64_t max_bytes, std::function<void(const Digest&)> on_end,
                             std::function<void(Error)> on_error)
    : port_(port),
      state_(std::make_shared<State>(std::move(basis), std::move(draft), max_bytes, toolbox)),
      on_end_(std::move(on_end)),
      on_error_(std::move(on_error)) {}

PatchReceiver::~PatchReceiver() = default;

const PatchApplier& PatchReceiver::applier() const {
  return state_->applier;
}

void PatchReceiver::start_repair() {
  state_->repairer.emplace(*state_->draft);
  assembler_ = PartAssembler();
  ended_ = false;
}

Status PatchReceiver::on_data(ByteView bytes) {
  while (!bytes.empty()) {
    if (ended_) return fail(Code::kProtocol, "Bytes arrived after the end of a patch.");
    const std::size_t before = bytes.size();
    MILLRACE_ASSIGN(auto part, assembler_.feed(bytes));
    credit_ += before - bytes.size();
    if (part) {
      queue_.push_back({std::move(*part), credit_});
      credit_ = 0;
    } else if (queue_.empty()) {
      // A part larger than the window would wait for ever: what is held of it is bounded by the part's own limit.
      // Behind a part that waits for its turn the credit is kept back, so that at most two parts and a window are held.
      port_.release_credit(std::exchange(credit_, 0));
    }
  }
  pump();
  return {};
}

void PatchReceiver::pump() {
  if (running_ || queue_.empty()) return;
  running_ = true;
  auto next = std::make_shared<Queued>(std::move(queue_.front()));
  queue_.pop_front();
  const bool is_short = next->part.raw_bytes + next->part.instructions.size() <= kShortPart;
  port_.run(
      {Lane::kDisk, is_short ? Urgency::kMetadata : Urgency::kBulk},
      [state = state_, next, window = assembler_.prefix_window(), addressing = assembler_.addressing()] {
        if (!state->hasher) state->hasher = state->toolbox.hasher();
        if (!state->codec) state->codec = state->toolbox.codec();
        state->result = state->repairer ? state->repairer->apply(std::move(next->part), *state->hasher, *state->codec)
                                        : state->applier.apply(std::move(next->part), window, addressing,
                                                               *state->hasher, *state->codec);
      },
      [this, next] {
        running_ = false;
        if (!state_->result) {
          on_error_(std::move(state_->result).error());
          return;
        }
        port_.release_credit(next->credit);
        if (queue_.size() <= 1) port_.release_credit(std::exchange(credit_, 0));
        if (*state_->result) {
          ended_ = true;
          on_end_(**state_->result);
          return;
        }
        pump();
      });
}

}  // namespace millrace
