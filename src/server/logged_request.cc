#include "server/logged_request.h"

#include <chrono>

#include "base/digest.h"

namespace millrace {

namespace {

using Clock = std::chrono::steady_clock;

struct Operation {
  const char* name = "";
  bool changes = false;  ///< something that is stored
  std::string path;
  std::string target;  ///< of a move
};

template <typename Message>
Operation about(const char* name, bool changes, ByteView payload) {
  Operation out{name, changes, {}, {}};
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
  return out;
}

Operation operation_of(FrameType type, ByteView payload) {
  switch (type) {
    case FrameType::kUpload:
      return about<wire::Upload>("upload", true, payload);
    case FrameType::kUploadDelta:
      return about<wire::UploadDelta>("upload", true, payload);
    case FrameType::kDownload:
      return about<wire::Download>("download", false, payload);
    case FrameType::kList:
      return about<wire::List>("list", false, payload);
    case FrameType::kStat:
      return about<wire::Stat>("stat", false, payload);
    case FrameType::kDelete:
      return about<wire::Delete>("delete", true, payload);
    case FrameType::kMove:
      return about<wire::Move>("move", true, payload);
    case FrameType::kVerify:
      return about<wire::Verify>("verify", false, payload);
    case FrameType::kChanges:
      return about<wire::Changes>("changes", false, payload);
    default:
      return {"unknown", false, {}, {}};
  }
}

class LoggedRequest final : public Conversation, public StreamPort {
 public:
  LoggedRequest(const Journal& journal, RequestOrigin origin, Operation operation, StreamPort& port)
      : journal_(journal), origin_(std::move(origin)), operation_(std::move(operation)), port_(port) {}

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
    wire_bytes_ += payload.size();
    return inner_->on_message(type, payload);
  }
  Status on_data(ByteView bytes) override {
    wire_bytes_ += bytes.size();
    return inner_->on_data(bytes);
  }
  Status on_writable() override { return inner_->on_writable(); }
  bool holds_memory() const override { return inner_ && inner_->holds_memory(); }
  void on_closed(const Error& error) override {
    note(&error);
    if (inner_) inner_->on_closed(error);
  }

  // What goes to it.
  void send_frame(FrameType type, std::uint8_t flags, Buffer payload) override {
    wire_bytes_ += payload.size();
    if (type == FrameType::kDone) {
      if (const auto done = wire::decode<wire::Done>(payload)) version_ = done->version;
    } else if (type == FrameType::kBasis && !operation_.changes) {
      if (const auto basis = wire::decode<wire::Basis>(payload)) version_ = basis->version;
    }
    port_.send_frame(type, flags, std::move(payload));
  }
  void send_data(SharedBytes bytes) override {
    wire_bytes_ += bytes.view.size();
    port_.send_data(std::move(bytes));
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
  /// Once: how it ended.
  void note(const Error* error) {
    if (std::exchange(noted_, true)) return;
    const std::string result = error == nullptr ? "ok" : std::string(code_name(error->code));
    if (journal_.log->wants(LogLevel::kInfo)) log(result);
    if (journal_.audit != nullptr && operation_.changes) audit(result);
  }

  void log(const std::string& result) const {
    LogFields fields;
    fields.add("connection", origin_.connection).add("request", origin_.request).add("operation", operation_.name);
    fields.add("path", operation_.path);
    if (!operation_.target.empty()) fields.add("target", operation_.target);
    fields.add("result", result).add("bytes", version_ ? version_->bytes : 0).add("wire_bytes", wire_bytes_);
    fields.add_seconds("seconds", std::chrono::duration<double>(Clock::now() - began_).count());
    fields.add("account", origin_.account.empty() ? "-" : origin_.account);
    journal_.log->write(LogLevel::kInfo, "request", fields);
  }

  void audit(const std::string& result) const {
    LogFields more;
    if (!operation_.target.empty()) more.add("target", operation_.target);
    if (version_) more.add("sequence", version_->token.sequence).add("root", to_hex(version_->token.root));
    more.add("connection", origin_.connection);
    journal_.audit->record(origin_.account, operation_.name, operation_.path, result, more);
  }

  const Journal journal_;
  const RequestOrigin origin_;
  const Operation operation_;
  StreamPort& port_;
  std::shared_ptr<Conversation> inner_;
  const Clock::time_point began_ = Clock::now();
  std::uint64_t wire_bytes_ = 0;
  std::optional<Version> version_;
  bool noted_ = false;
};

}  // namespace

Result<std::shared_ptr<Conversation>> with_journal(const Journal& journal, const RequestOrigin& origin, FrameType type,
                                                   ByteView payload, StreamPort& port, const MakeConversation& make) {
  if (!journal.log->wants(LogLevel::kInfo) && journal.audit == nullptr) return make(port);
  auto logged = std::make_shared<LoggedRequest>(journal, origin, operation_of(type, payload), port);
  MILLRACE_TRY(logged->begin(make));
  return logged;
}

}  // namespace millrace
