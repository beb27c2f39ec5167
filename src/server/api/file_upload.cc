#include "server/api/file_upload.h"

#include "base/units.h"
#include "monitor/wall_clock.h"
#include "server/api/draft_writer.h"
#include "server/api/json_reply.h"
#include "server/api/precondition.h"
#include "server/api/transfer_memory.h"

namespace millrace {

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

/// The stages: its turn; preconditions and a draft; the body, block by block; the commit.
class FileUpload final : public HttpHandler, public std::enable_shared_from_this<FileUpload> {
 public:
  FileUpload(ApiRequest request, std::string path)
      : request_(std::move(request)),
        port_(request_.port),
        path_(std::move(path)),
        precondition_(request_.request),
        memory_(request_.loop, request_.context.budget) {}
  /// The commit that it waited for had not begun when the connection was lost.
  ~FileUpload() override {
    if (!is_over_) end(Code::kNetwork, std::nullopt);
  }
  FileUpload(const FileUpload&) = delete;
  FileUpload& operator=(const FileUpload&) = delete;

  void start() {
    port_.pause_body();
    if (!request_.request.header("content-range").empty())
      return refuse({400,
                     {Code::kUsage,
                      "A file comes whole, not a part of it; leave Content-Range out (curl: without -C), or use "
                      "`millrace upload`, which goes on where it was cut off."}});
    const std::string mtime(request_.request.header("x-millrace-mtime-ms"));
    attributes_.mtime_ns = wall_clock_ns();
    if (!mtime.empty()) {
      const auto ms = whole_number(mtime);
      if (!ms || *ms > static_cast<std::uint64_t>(wall_clock_ns() / kNsPerMs * 4))
        return refuse({400, {Code::kUsage, "X-Millrace-Mtime-Ms must be milliseconds since 1970."}});
      attributes_.mtime_ns = static_cast<std::int64_t>(*ms) * kNsPerMs;
    }
    TransferView view = transfer_view(request_.origin, Operation::kHttpPut, path_);
    view.direction = Direction::kIn;
    view.total_bytes = request_.request.content_length;
    transfer_.emplace(request_.monitor, std::move(view), [this](const Error& why) { refuse(problem_of(why)); });
    memory_.enter(port_.while_open([this] {
      if (!is_over_) open();
    }));
  }

  bool wants_body() const override { return static_cast<bool>(writer_); }

  void on_tick() override {
    if (const Status waits = memory_.wait_at_most(request_.memory_wait_seconds); !waits)
      refuse(problem_of(waits.error()));
  }

  void on_body(ByteView bytes) override {
    if (is_over_) return;
    transfer_->view.wire_bytes += bytes.size();
    transfer_->view.literal_bytes += bytes.size();
    append(arrived_, bytes);
    charge_.resize(arrived_.size());
    // One block is worked on, one is filled.
    if (!writer_ || is_busy_) {
      if (arrived_.size() >= memory_.block_bytes()) port_.pause_body();
      return;
    }
    if (arrived_.size() >= memory_.block_bytes()) write();
  }

  void on_body_end() override {
    has_ended_ = true;
    if (!is_over_ && writer_ && !is_busy_) finish();
  }

  void on_closed() override {
    // What is being committed may become the current version: the commit tells.
    if (!is_over_ && !is_committing_) end(Code::kNetwork, std::nullopt);
  }

 private:
  void open() {
    struct Opened {
      HttpResult<Expected> expected = Expected{};
      bool is_new = false;
      Result<std::unique_ptr<StoreDraft>> draft = nullptr;
    };
    const auto opened = std::make_shared<Opened>();
    DraftRequest draft;
    draft.path = path_;
    draft.bytes = request_.request.content_length.value_or(0);
    port_.run(
        Workers::kCatalogue, Urgency::kMetadata,
        [opened, draft, precondition = precondition_, store = request_.context.store,
         principal = request_.principal()]() mutable {
          const auto current = store->lookup(principal, draft.path);
          opened->is_new = current && !*current;
          opened->expected = precondition.check(current, draft.path);
          if (!opened->expected) return;
          draft.expected = *opened->expected;
          opened->draft = store->begin(principal, draft);
        },
        [self = shared_from_this(), opened] {
          if (self->is_over_) return;
          if (!opened->expected) return self->refuse(opened->expected.error());
          if (!opened->draft) return self->refuse(problem_of(opened->draft.error()));
          self->is_new_ = opened->is_new;
          self->draft_ = std::move(*opened->draft);
          self->writer_ = std::make_shared<DraftWriter>(self->draft_, self->request_.context.hasher());
          self->go_on();
        });
  }

  void go_on() {
    if (arrived_.size() >= memory_.block_bytes()) return write();
    if (has_ended_) return finish();
    port_.resume_body();
  }

  void write() {
    is_busy_ = true;
    const auto block = std::make_shared<Buffer>(std::exchange(arrived_, {}));
    const auto held = std::make_shared<MemoryCharge>(std::move(charge_));
    charge_ = memory_.charge(0);
    const auto status = std::make_shared<Status>();
    port_.run(
        Workers::kDisk, Urgency::kBulk,
        [writer = writer_, block, held, status] {
          *status = writer->write(*block);
          held->resize(0);
        },
        [self = shared_from_this(), status] {
          self->is_busy_ = false;
          if (self->is_over_) return;
          if (!*status) return self->refuse(problem_of(status->error()));
          self->go_on();
        });
    if (!has_ended_) port_.resume_body();
  }

  void finish() {
    is_busy_ = is_committing_ = true;
    const auto block = std::make_shared<Buffer>(std::exchange(arrived_, {}));
    const auto version = std::make_shared<Result<Version>>(Version());
    port_.run_deferred(
        Workers::kDisk, Urgency::kMetadata,
        [writer = writer_, draft = draft_, block, version,
         attributes = attributes_](const std::function<void()>& finished) {
          Status written = writer->write(*block);
          const Result<Digest> root = written ? writer->finish() : fail(written.error());
          if (!root) {
            *version = fail(root.error());
            return finished();
          }
          draft->commit(*root, draft->size(), attributes, [version, finished](Result<Version> committed) {
            *version = std::move(committed);
            finished();
          });
        },
        [self = shared_from_this(), version] {
          self->is_committing_ = false;
          if (!*version) return self->refuse(self->precondition_.problem_of(version->error()));
          self->done(**version);
        },
        HttpPort::WhenOver::kTell);
  }

  void done(const Version& version) {
    transfer_->view.total_bytes = version.bytes;
    end(std::nullopt, version);
    HttpHead head;
    head.status = is_new_ ? 201 : 200;
    head.add("ETag", entity_tag(version.token.root)).add("Content-Type", "application/json");
    port_.respond_text(std::move(head), to_text({{"root", to_hex(version.token.root)},
                                                 {"bytes", version.bytes},
                                                 {"sequence", version.token.sequence}}));
  }

  void refuse(const HttpProblem& problem) {
    if (is_over_ || is_committing_) return;
    if (draft_ && !is_busy_) draft_->discard();
    end(problem.error.code, std::nullopt);
    port_.refuse(problem);
  }

  void end(const std::optional<Code>& error, const std::optional<Version>& version) {
    is_over_ = true;
    const std::uint64_t wire_bytes = transfer_ ? transfer_->view.wire_bytes : 0;
    if (transfer_) {
      transfer_->end(error);
      transfer_.reset();
    }
    draft_.reset();
    writer_.reset();
    arrived_ = {};
    charge_ = {};
    memory_.leave();
    note_end(request_, Operation::kHttpPut, true, path_, error, version, wire_bytes);
  }

  ApiRequest request_;
  HttpPort& port_;
  const std::string path_;
  const Precondition precondition_;
  TransferMemory memory_;
  Attributes attributes_;
  std::optional<ActiveTransfer> transfer_;
  std::shared_ptr<StoreDraft> draft_;
  std::shared_ptr<DraftWriter> writer_;
  Buffer arrived_;
  MemoryCharge charge_ = memory_.charge(0);
  bool is_new_ = false;
  bool is_busy_ = false;  ///< a worker has the writer
  bool is_committing_ = false;
  bool has_ended_ = false;  ///< the body
  bool is_over_ = false;
};

}  // namespace

std::shared_ptr<HttpHandler> upload_file(ApiRequest request, const std::string& path) {
  auto upload = std::make_shared<FileUpload>(std::move(request), path);
  upload->start();
  return upload;
}

}  // namespace millrace
