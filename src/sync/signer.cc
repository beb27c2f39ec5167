#include "sync/signer.h"

namespace millrace {

Status Signer::begin(std::uint64_t block_bytes, std::uint64_t pair_bytes) {
  if (!idle() && begun_) return fail(Code::kProtocol, "A rung was asked for before the one before it was signed.");
  const bool first = holder_.rung() == 0;
  if (block_bytes > kMaxChunkBytes || (block_bytes == 0 && !first))
    return fail(Code::kProtocol, "Signatures of an impossible block size were asked for.");
  const std::uint32_t block =
      block_bytes == 0 ? first_rung_block(holder_.unfound_bytes()) : static_cast<std::uint32_t>(block_bytes);
  MILLRACE_TRY(holder_.begin_rung(block, pair_bytes));
  if (first) first_block_ = block;
  begun_ = true;
  pump();
  return {};
}

void Signer::pump() {
  if (!begun_ || running_ || !holder_.batches_left() || port_.unsent_bytes() >= port_.slice()) return;
  running_ = true;
  struct Work {
    SignBatch batch;
    Result<Buffer> bulk = Buffer();
  };
  auto work = std::make_shared<Work>();
  work->batch = holder_.next_batch();
  port_.run(
      Lane::kCpu, [work, held = held_, known = known_] { work->bulk = sign(work->batch, *held, known); },
      [this, work] {
        running_ = false;
        if (!work->bulk) return on_error_(work->bulk.error());
        wire::Signatures message;
        message.rung = holder_.rung();
        message.block_bytes = holder_.block_bytes();
        message.width = holder_.width();
        message.bulk_bytes = work->bulk->size();
        port_.send(message);
        port_.send_data(SharedBytes::of(std::move(*work->bulk)));
        pump();
      });
}

}  // namespace millrace
