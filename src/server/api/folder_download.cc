#include "server/api/folder_download.h"

#include "base/path.h"
#include "http/percent.h"
#include "server/api/download.h"
#include "server/api/folder_archive.h"

namespace millrace {

namespace {

/// The stages: its turn; list; answer with the head; make and send block by block, one being made while others are
/// sent.
class FolderDownload final : public Download, public std::enable_shared_from_this<FolderDownload> {
 public:
  FolderDownload(ApiRequest request, std::string path)
      : Download(std::move(request), std::move(path)),
        archive_(std::make_shared<FolderArchive>(request_.context.store, request_.principal(), path_)) {}

  void start() {
    memory_.enter(port_.while_open([this] {
      if (!is_noted_) list();
    }));
  }

  void on_writable() override {
    if (transfer_) pump();
  }

 private:
  struct Block {
    Buffer bytes;
    MemoryCharge charge;
    Result<bool> goes_on = true;
  };

  void list() {
    const auto listed = std::make_shared<Status>();
    port_.run(
        Workers::kCatalogue, Urgency::kBulk, [listed, archive = archive_] { *listed = archive->list(); },
        [self = shared_from_this(), listed] {
          if (self->is_noted_) return;
          if (!*listed) return self->refuse(problem_of(listed->error()));
          self->names_ = self->memory_.charge(self->archive_->memory_bytes());
          self->answer();
        });
  }

  void answer() {
    HttpHead head;
    const std::string name = path_.empty() ? "files" : std::string(last_part(path_));
    head.add("Content-Type", "application/zip").add("X-Content-Type-Options", "nosniff");
    head.add("Cache-Control", "no-store").add("Content-Security-Policy", "sandbox");
    head.add("Content-Disposition", "attachment; filename*=UTF-8''" + percent_encode_path(name) + ".zip");
    if (request_.request.method == "HEAD") {
      end(std::nullopt);
      port_.begin(head, std::nullopt);
      return port_.finish();
    }
    begin_transfer(archive_->content_bytes());
    port_.begin(head, std::nullopt);
    pump();
  }

  void pump() {
    if (is_making_ || port_.unsent_bytes() >= memory_.high_water()) return;
    is_making_ = true;
    const auto block = std::make_shared<Block>();
    const std::size_t count = memory_.block_bytes();
    block->charge = memory_.charge(count);
    port_.run(
        Workers::kDisk, Urgency::kBulk,
        [block, count, archive = archive_] { block->goes_on = archive->next(count, block->bytes); },
        [self = shared_from_this(), block] {
          if (self->transfer_) self->send(block);
        });
  }

  void send(const std::shared_ptr<Block>& block) {
    is_making_ = false;
    if (!block->goes_on) return abort(block->goes_on.error());
    block->charge.resize(block->bytes.capacity());
    count_sent(block->bytes.size());
    if (!block->bytes.empty()) port_.send({block, block->bytes});
    if (*block->goes_on) return pump();
    end(std::nullopt);
    port_.finish();
  }

  const std::shared_ptr<FolderArchive> archive_;
  MemoryCharge names_;
  bool is_making_ = false;
};

}  // namespace

std::shared_ptr<HttpHandler> download_folder(ApiRequest request, const std::string& path) {
  auto download = std::make_shared<FolderDownload>(std::move(request), path);
  download->start();
  return download;
}

}  // namespace millrace
