#include "server/watched_request.h"

#include <chrono>

#include "base/digest.h"

namespace millrace {

namespace {

using Clock = std::chrono::steady_clock;

struct Asked {
  Operation operation = Operation::kUnknown;
  bool changes = false;  ///< something that is stored
  std::string path;
  std::string target;                       ///< of a move
  std::optional<std::uint64_t> bytes = {};  ///< of an upload's content
};

template <typename Message>
Asked about(Operation operation, bool changes, ByteView payload) {
  Asked out{operation, changes, {}, {}};
  const auto message = wire::decode<Message>(payload);
  if (!message) return out;
  if constexpr (std::is_same_v<Message, wire::Move>) {
    out.path = message->from;
    out.target = message->to;
  } else if constexpr (std::is_same_v<Message, wire::Stat>) {
    if (!message->paths.empty()) out.path = message->paths.front();
  } else if constexpr (!std::is_same_v<Message, wire::Changes>) {
    out.path = message->path;
  }
  if constexpr (std::is_same_v<Message, wire::Restore>) out.target = message->to;
  if constexpr (std::is_base_of_v<wire::UploadFields, Message>) {
    if (!message->size_unknown) out.bytes = message->bytes;
  }
  return out;
}

Asked what_is_asked(FrameType type, ByteView payload) {
  switch (type) {
    case FrameType::kUpload:
      return about<wire::Upload>(Operation::kUpload, true, payload);
    case FrameType::kUploadDelta:
      return about<wire::UploadDelta>(Operation::kUpload, true, payload);
    case FrameType::kDownload:
      return about<wire::Download>(Operation::kDownload, false, payload);
    case FrameType::kList:
      return about<wire::List>(Operation::kList, false, payload);
    case FrameType::kStat:
      return about<wire::Stat>(Operation::kStat, false, payload);
    case FrameType::kDelete:
      return about<wire::Delete>(Operation::kDelete, true, payload);
    case FrameType::kMove:
      return about<wire::Move>(Operation::kMove, true, payload);
    case FrameType::kVerify:
      return about<wire::Verify>(Operation::kVerify, false, payload);
    case FrameType::kChanges:
      return about<wire::Changes>(Operation::kChanges, false, payload);
    case FrameType::kListTrash:
      return about<wire::ListTrash>(Operation::kListTrash, false, payload);
    case FrameType::kRestore:
      return about<wire::Restore>(Operation::kRestore, true, payload);
    default:
      return {};
  }
}

class WatchedRequest final : public Conversation, public StreamPort {
 public:
  WatchedRequest(const Journal& journal, LoopMonitor& monitor, RequestOrigin origin, Asked asked, StreamPort& port)
      : journal_(journal), monitor_(monitor), origin_(std::move(origin)), asked_(std::move(asked)), port_(port) {
    const bool is_upload = asked_.operation == Operation::kUpload;
    if (!is_upload && asked_.operation != Operation::kDownload) return;
    TransferView view = transfer_view(origin_, asked_.operation, asked_.path);
    view.direction = is_upload ? Direction::kIn : Direction::kOut;
    view.total_bytes = asked_.bytes;
    transfer_.emplace(monitor_, std::move(view), [this](const Error& why) { port_.fail(why); });
  }

  Status begin(const MakeConversation& make) {
    auto made = make(*this);
    if (!made) {
      note(&made.error());
      return millrace::fail(made.error());
    }
    inner_ = std::move(*made);
    return {};
  }

  // What comes from the multiplexer.
  Status on_message(FrameType type, ByteView payload) override {
    count_wire(payload.size());
    return inner_->on_message(type, payload);
  }
  Status on_data(ByteView bytes) override {
    count_wire(bytes.size());
    return inner_->on_data(bytes);
  }
  MutableBytes data_space() override { return inner_->data_space(); }
  Status on_writable() override { return inner_->on_writable(); }
  bool holds_memory() const override { return inner_ && inner_->holds_memory(); }
  void on_closed(const Error& error) override {
    note(&error);
    if (inner_) inner_->on_closed(error);
  }

  // What goes to it.
  void send_frame(FrameType type, std::uint8_t flags, Buffer payload) override {
    count_wire(payload.size());
    if (type == FrameType::kDone) {
      if (const auto done = wire::decode<wire::Done>(payload)) on_done(*done);
    } else if (type == FrameType::kBasis && !asked_.changes) {
      if (const auto basis = wire::decode<wire::Basis>(payload)) version_ = basis->version;
      if (transfer_ && version_) transfer_->view.total_bytes = version_->bytes;
    }
    port_.send_frame(type, flags, std::move(payload));
  }
  void send_data(SharedBytes bytes) override {
    count_wire(bytes.view.size());
    port_.send_data(std::move(bytes));
  }
  void note_counts(const TransferCounts& now) override {
    if (!transfer_ || noted_) return;
    transfer_->view.matched_bytes = now.matched;
    transfer_->view.literal_bytes = now.literal;
    transfer_->view.zero_bytes = now.zero;
  }
  void note_event(TransferEvent event) override {
    LoopCounts& counts = monitor_.counts;
    if (event == TransferEvent::kResumes) resumes_ = true;
    if (event == TransferEvent::kWrongRoot) counts.wrong_roots.add(1);
    if (event == TransferEvent::kAsksChunks) counts.asked_chunks.add(1);
    if (event == TransferEvent::kAsksAll) counts.asked_all.add(1);
  }
  void finish() override {
    note(nullptr);
    port_.finish();
  }
  void fail(Error error) override { port_.fail(std::move(error)); }
  std::uint64_t unsent_bytes() const override { return port_.unsent_bytes(); }
  void release_credit(std::uint64_t bytes) override { port_.release_credit(bytes); }
  void set_window(std::uint64_t bytes) override { port_.set_window(bytes); }
  void run(JobKind kind, std::function<void()> work, std::function<void()> done) override {
    port_.run(kind, std::move(work), std::move(done));
  }
  void run_deferred(JobKind kind, std::function<void(std::function<void()>)> work,
                    std::function<void()> done) override {
    port_.run_deferred(kind, std::move(work), std::move(done));
  }
  Link link() const override { return port_.link(); }
  const wire::Hello& peer() const override { return port_.peer(); }
  void admit(std::function<void()> begin) override { port_.admit(std::move(begin)); }
  std::optional<MemoryCharge> reserve(std::uint64_t bytes, std::function<void(MemoryCharge)> on_room) override {
    return port_.reserve(bytes, std::move(on_room));
  }
  MemoryCharge charge(std::uint64_t bytes) override { return port_.charge(bytes); }
  std::uint64_t slice() const override { return port_.slice(); }

 private:
  void count_wire(std::size_t bytes) {
    wire_bytes_ += bytes;
    if (transfer_ && !noted_) transfer_->view.wire_bytes = wire_bytes_;
  }

  void on_done(const wire::Done& done) {
    version_ = done.version;
    if (!transfer_ || noted_ || !version_) return;
    transfer_->view.total_bytes = version_->bytes;
    if (done.unchanged) transfer_->view.matched_bytes = version_->bytes;
  }

  /// Once: how it ended.
  void note(const Error* error) {
    if (std::exchange(noted_, true)) return;
    RequestEnd end{asked_.operation, asked_.changes, asked_.path,          asked_.target, {},
                   version_,         wire_bytes_,    Clock::now() - began_};
    if (error != nullptr) end.error = error->code;
    if (resumes_) (error == nullptr ? monitor_.counts.resumed : monitor_.counts.resumed_failed).add(1);
    if (transfer_) {
      transfer_->end(end.error);
      transfer_.reset();
    }
    note_request(journal_, monitor_, origin_, end);
  }

  const Journal journal_;
  LoopMonitor& monitor_;
  const RequestOrigin origin_;
  const Asked asked_;
  StreamPort& port_;
  std::shared_ptr<Conversation> inner_;
  const Clock::time_point began_ = Clock::now();
  std::uint64_t wire_bytes_ = 0;
  std::optional<Version> version_;
  std::optional<ActiveTransfer> transfer_;
  bool resumes_ = false;
  bool noted_ = false;
};

void log(Log& log, const RequestOrigin& origin, const RequestEnd& end, std::string_view result) {
  LogFields fields;
  fields.add("connection", origin.connection).add("request", origin.request);
  fields.add("operation", operation_name(end.operation)).add("path", end.path);
  if (!end.target.empty()) fields.add("target", end.target);
  fields.add("result", result).add("bytes", end.version ? end.version->bytes : 0).add("wire_bytes", end.wire_bytes);
  fields.add_seconds("seconds", std::chrono::duration<double>(end.took).count());
  fields.add("account", origin.account.empty() ? "-" : origin.account);
  log.write(LogLevel::kInfo, "request", fields);
}

void audit(AuditLog& log, const RequestOrigin& origin, const RequestEnd& end, std::string_view result) {
  LogFields more;
  if (!end.target.empty()) more.add("target", end.target);
  if (end.version) more.add("sequence", end.version->token.sequence).add("root", to_hex(end.version->token.root));
  more.add("connection", origin.connection);
  log.record(origin.account, operation_name(end.operation), end.path, result, more);
}

}  // namespace

TransferView transfer_view(const RequestOrigin& origin, Operation operation, const std::string& path) {
  TransferView view;
  view.connection = origin.connection;
  view.request = origin.request;
  view.account = origin.account;
  view.path = path;
  view.operation = operation;
  return view;
}

void note_request(const Journal& journal, LoopMonitor& monitor, const RequestOrigin& origin, const RequestEnd& end) {
  monitor.count_request(end.operation, end.error, end.took);
  const std::string_view result = end.error ? code_name(*end.error) : "ok";
  if (journal.log->wants(LogLevel::kInfo)) log(*journal.log, origin, end, result);
  if (journal.audit != nullptr && end.changes) audit(*journal.audit, origin, end, result);
}

Result<std::shared_ptr<Conversation>> watch_request(const Journal& journal, LoopMonitor& monitor,
                                                    const RequestOrigin& origin, FrameType type, ByteView payload,
                                                    StreamPort& port, const MakeConversation& make) {
  auto watched = std::make_shared<WatchedRequest>(journal, monitor, origin, what_is_asked(type, payload), port);
  MILLRACE_TRY(watched->begin(make));
  return watched;
}

}  // namespace millrace
