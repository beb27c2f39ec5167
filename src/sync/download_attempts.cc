#include "sync/download_attempts.h"

namespace millrace {

namespace {

/// What an earlier attempt built, as a basis. Nobody writes to it any more.
class BuiltSource final : public Source {
 public:
  explicit BuiltSource(std::shared_ptr<const DownloadDraft> draft) : draft_(std::move(draft)) {}
  std::uint64_t size() const override { return draft_->size(); }
  Status read_at(std::uint64_t offset, MutableBytes into) const override { return draft_->read_at(offset, into); }

 private:
  std::shared_ptr<const DownloadDraft> draft_;
};

class DownloadAttempts : public std::enable_shared_from_this<DownloadAttempts> {
 public:
  DownloadAttempts(OpenStream open, DownloadTarget target, const TransferOptions& options, const Toolbox& toolbox,
                   TransferDone done, TransferObserver observer)
      : open_(std::move(open)),
        target_(std::move(target)),
        options_(options),
        toolbox_(toolbox),
        done_(std::move(done)),
        observer_(std::move(observer)) {}

  Status begin() {
    const auto opened = open_([self = shared_from_this()](StreamPort& port) {
      DownloadTarget target = self->target_;
      target.on_wrong = [self](std::shared_ptr<DownloadDraft> draft, const TransferResult& result) {
        self->wrong_ = std::move(draft);
        self->spent_.literal_bytes += result.literal_bytes;
        self->spent_.round_trips += result.round_trips;
      };
      return make_download(
          port, std::move(target), self->options_, self->toolbox_,
          [self](Result<TransferResult> result) { self->on_done(std::move(result)); }, self->observer_);
    });
    if (!opened) return fail(opened.error());
    return {};
  }

 private:
  void on_done(Result<TransferResult> result) {
    const bool again = !result && result.error().code == Code::kIntegrity && target_.basis && !options_.whole_file;
    if (again) {
      if (wrong_ && spent_.repairs == 0) {
        target_.basis = std::make_shared<BuiltSource>(std::exchange(wrong_, nullptr));
        target_.basis_is = BasisIs::kElsewhere;
        options_.max_depth = 0;
      } else {
        options_.whole_file = true;
      }
      ++spent_.repairs;
      const Status begun = begin();
      if (begun) return;
      result = fail(begun.error());
    }
    if (result) {
      result->literal_bytes += spent_.literal_bytes;
      result->round_trips += spent_.round_trips;
      result->repairs = spent_.repairs;
    }
    std::exchange(done_, nullptr)(std::move(result));
  }

  OpenStream open_;
  DownloadTarget target_;
  TransferOptions options_;
  Toolbox toolbox_;
  TransferDone done_;
  TransferObserver observer_;
  std::shared_ptr<DownloadDraft> wrong_;
  TransferResult spent_;  ///< by attempts that were wrong
};

}  // namespace

Status begin_download(OpenStream open, DownloadTarget target, const TransferOptions& options, const Toolbox& toolbox,
                      TransferDone done, TransferObserver observer) {
  return std::make_shared<DownloadAttempts>(std::move(open), std::move(target), options, toolbox, std::move(done),
                                            std::move(observer))
      ->begin();
}

}  // namespace millrace
