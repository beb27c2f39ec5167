#include "server/api/file_download.h"

#include <deque>

#include "base/path.h"
#include "base/timestamp.h"
#include "http/byte_ranges.h"
#include "http/percent.h"
#include "server/api/download.h"
#include "server/api/precondition.h"

namespace millrace {

namespace {

constexpr std::size_t kBlocksAtOnce = 2;  ///< read ahead while the socket takes the one before

/// The stages: open; answer with the head; read and send block by block.
class FileDownload final : public Download, public std::enable_shared_from_this<FileDownload> {
 public:
  FileDownload(ApiRequest request, std::string path) : Download(std::move(request), std::move(path)) {}

  void start() {
    const auto opened = std::make_shared<Result<std::shared_ptr<const StoredFile>>>(nullptr);
    port_.run(
        Workers::kCatalogue, Urgency::kMetadata,
        [opened, store = request_.context.store, principal = request_.principal(), path = path_] {
          *opened = store->open(principal, path);
        },
        [self = shared_from_this(), opened] {
          if (!*opened) return self->refuse(problem_of(opened->error()));
          self->file_ = **opened;
          self->version_ = self->file_->version();
          self->answer();
        });
  }

  void on_writable() override {
    if (transfer_) pump();
  }

 private:
  struct Block {
    Buffer bytes;
    MemoryCharge charge;
    Status status;
    bool is_read = false;
  };

  void answer() {
    const Version& version = file_->version();
    const std::string tag = entity_tag(version.token.root);
    const HttpRequest& asked = request_.request;
    HttpHead head;
    const std::int64_t changed_s = version.attributes.mtime_ns / kNsPerSecond;
    head.add("ETag", tag).add("Last-Modified", http_date(changed_s)).add("Accept-Ranges", "bytes");
    head.add("Cache-Control", "no-cache");
    if (const auto checked = Precondition(asked).check_match(version, path_); !checked) return refuse(checked.error());
    const std::string_view if_none_match = asked.header("if-none-match");
    const auto since = parse_http_date(asked.header("if-modified-since"));
    const bool is_known = if_none_match.empty() ? since && changed_s <= *since : has_tag(if_none_match, tag);
    if (is_known) {
      head.status = 304;
      end(std::nullopt);
      return port_.respond(head, {});
    }
    // The browser shall keep what it gets and never show it: it may be anybody's HTML.
    head.add("Content-Type", "application/octet-stream").add("X-Content-Type-Options", "nosniff");
    head.add("Content-Security-Policy", "sandbox");
    if (query_value(asked.query, "download"))
      head.add("Content-Disposition",
               "attachment; filename*=UTF-8''" + percent_encode_path(std::string(last_part(path_))));
    const std::string_view if_range = asked.header("if-range");
    const bool wants_range = if_range.empty() || if_range == tag;
    const bool is_head = asked.method == "HEAD";  // which knows no ranges
    const RangeAnswer ranges =
        range_of(wants_range && !is_head ? asked.header("range") : std::string_view(), version.bytes);
    const std::string size = std::to_string(version.bytes);
    if (ranges.kind == RangeAnswer::Kind::kUnsatisfiable) {
      end(Code::kUsage);
      head = {};
      head.add("Content-Range", "bytes */" + size);
      return port_.refuse({416, {Code::kUsage, "The file has " + size + " bytes; the range lies behind them."}}, head);
    }
    offset_ = 0;
    end_ = version.bytes;
    if (ranges.kind == RangeAnswer::Kind::kPart) {
      head.status = 206;
      offset_ = ranges.range.offset;
      end_ = offset_ + ranges.range.length;
      head.add("Content-Range", "bytes " + std::to_string(offset_) + "-" + std::to_string(end_ - 1) + "/" + size);
    }
    if (is_head) {
      end(std::nullopt);
      port_.begin(head, end_ - offset_);
      return port_.finish();
    }
    begin_transfer(end_ - offset_);
    memory_.enter(port_.while_open([this, head] {
      if (is_noted_) return;
      port_.begin(head, end_ - offset_);
      next_read_ = offset_;
      pump();
    }));
  }

  void pump() {
    while (!blocks_.empty() && blocks_.front()->is_read && port_.unsent_bytes() < memory_.high_water()) {
      const auto block = blocks_.front();
      blocks_.pop_front();
      if (!block->status) return abort(block->status.error());
      offset_ += block->bytes.size();
      count_sent(block->bytes.size());
      port_.send({block, block->bytes});
    }
    if (offset_ == end_) {
      end(std::nullopt);
      return port_.finish();
    }
    while (blocks_.size() < kBlocksAtOnce && next_read_ < end_) read_next();
  }

  void read_next() {
    const auto block = std::make_shared<Block>();
    const std::size_t count = std::min<std::uint64_t>(memory_.block_bytes(), end_ - next_read_);
    block->charge = memory_.charge(count);
    blocks_.push_back(block);
    port_.run(
        Workers::kDisk, Urgency::kBulk,
        [block, count, file = file_, offset = next_read_] {
          block->bytes.resize(count);
          block->status = file->read_at(offset, block->bytes);
        },
        [self = shared_from_this(), block] {
          block->is_read = true;
          if (self->transfer_) self->pump();
        });
    next_read_ += count;
  }

  std::shared_ptr<const StoredFile> file_;
  std::deque<std::shared_ptr<Block>> blocks_;  ///< by offset
  std::uint64_t offset_ = 0;                   ///< sent so far
  std::uint64_t next_read_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace

std::shared_ptr<HttpHandler> download_file(ApiRequest request, const std::string& path) {
  auto download = std::make_shared<FileDownload>(std::move(request), path);
  download->start();
  return download;
}

}  // namespace millrace
