#include "sync/ladder_client.h"

#include "delta/literal_sample.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMaxBatchBulkBytes = 4u << 20;

Result<double> sample_gaps(const LadderSearcher& searcher, const Source& own, const Toolbox& toolbox) {
  const auto codec = toolbox.codec();
  return sample_literals(own, searcher.gaps(), *codec);
}

}  // namespace

LadderClient::LadderClient(StreamPort& port, const Toolbox& toolbox, std::shared_ptr<const Source> own,
                           std::shared_ptr<LadderSearcher> searcher, std::function<void(double)> on_rung,
                           std::function<void(Error)> on_error)
    : port_(port),
      toolbox_(toolbox),
      own_(std::move(own)),
      searcher_(std::move(searcher)),
      on_rung_(std::move(on_rung)),
      on_error_(std::move(on_error)) {}

void LadderClient::sample(std::function<void(double)> then) {
  auto ratio = std::make_shared<Result<double>>(1.0);
  port_.run(
      Lane::kCpu,
      [ratio, searcher = searcher_, own = own_, toolbox = toolbox_] { *ratio = sample_gaps(*searcher, *own, toolbox); },
      [this, ratio, then = std::move(then)] {
        if (!*ratio) return on_error_(ratio->error());
        then(**ratio);
      });
}

Status LadderClient::on_signatures(const wire::Signatures& message) {
  if (bulk_.active() || message.rung != searcher_->rung() || message.bulk_bytes == 0 ||
      message.block_bytes > kMaxChunkBytes || message.width > 61) {
    return fail(Code::kProtocol, "Signatures arrived that were not asked for.");
  }
  message_ = message;
  return bulk_.expect(message.bulk_bytes, kMaxBatchBulkBytes);
}

void LadderClient::on_data(ByteView& bytes) {
  const std::size_t taken = bulk_.feed(bytes);
  // What cannot be searched soon keeps its credit, so that the server does not run ahead.
  if (queue_.size() < kEarlyCreditBatches) {
    port_.release_credit(taken);
  } else {
    credit_ += taken;
  }
  if (!bulk_.complete()) return;
  queue_.push_back(
      {bulk_.take(), static_cast<std::uint32_t>(message_.block_bytes), static_cast<unsigned>(message_.width), credit_});
  credit_ = 0;
  pump();
}

void LadderClient::pump() {
  if (running_ || queue_.empty()) return;
  running_ = true;
  struct Work {
    Batch batch;
    Status status;
    Result<double> ratio = 1.0;
    bool complete = false;
  };
  auto work = std::make_shared<Work>();
  work->batch = std::move(queue_.front());
  queue_.pop_front();
  block_ = work->batch.block_bytes;
  if (first_block_ == 0) first_block_ = block_;
  port_.run(
      Lane::kCpu,
      [work, searcher = searcher_, own = own_, toolbox = toolbox_] {
        work->status = searcher->take_signatures(work->batch.block_bytes, work->batch.width, work->batch.bulk, *own);
        work->complete = searcher->rung_complete();
        if (work->status && work->complete) work->ratio = sample_gaps(*searcher, *own, toolbox);
      },
      [this, work] {
        running_ = false;
        if (!work->status) return on_error_(work->status.error());
        if (!work->ratio) return on_error_(work->ratio.error());
        port_.release_credit(work->batch.credit);
        // Batches that wait for their turn and hold back credit would hold back the one that is being received.
        port_.release_credit(std::exchange(credit_, 0));
        if (work->complete) return on_rung_(*work->ratio);
        pump();
      });
}

}  // namespace millrace
