#include "load/load_client.h"

#include "net/tcp.h"
#include "net/tls_stream.h"

#include <algorithm>
#include <cstdio>

#include "load/checking_draft.h"
#include "sync/download_attempts.h"
#include "sync/query_client.h"
#include "sync/upload_client.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMostHeldBytes = 6u << 20;  ///< of a file that is being hashed, however large
constexpr std::uint64_t kListLimit = 100;

std::uint64_t microseconds_since(std::chrono::steady_clock::time_point then) {
  const auto passed = std::chrono::steady_clock::now() - then;
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
}

}  // namespace

std::string LoadClient::path_of(std::uint64_t seed, std::uint32_t index) {
  char name[48];
  std::snprintf(name, sizeof name, "load/%llu/%05u", static_cast<unsigned long long>(seed), index);
  return name;
}

LoadClient::LoadClient(LoadContext& context, std::uint32_t index)
    : context_(context),
      path_(path_of(context.options.seed, index)),
      acknowledged_(context.options.seed, index, context.options.size.of(context.options.seed, index)) {}

LoadClient::~LoadClient() {
  close({Code::kCancelled, "The run is over."});
}

void LoadClient::begin(OutcomeDone done, Step step) {
  done_ = std::move(done);
  begun_ = std::chrono::steady_clock::now();
  ++call_;
  if (session_) return step();
  start_session(step);
}

void LoadClient::end(const Outcome& outcome) {
  leave_gate();
  ++call_;
  if (const auto done = std::exchange(done_, nullptr)) done(outcome);
}

void LoadClient::end_later(Error error) {
  context_.loop.run_job(
      Workers::kCpu, [] {},
      [weak = weak_from_this(), call = call_, error = std::move(error)] {
        const auto self = weak.lock();
        if (self && self->call_ == call) self->end(fail(error));
      });
}

void LoadClient::start_session(const Step& then) {
  auto tcp = std::make_unique<TcpStream>(context_.loop);
  TcpStream* const connecting = tcp.get();
  std::unique_ptr<Stream> stream = std::move(tcp);
  if (context_.tls)
    stream = std::make_unique<TlsStream>(std::move(stream), *context_.tls, context_.options.url.host, nullptr);
  session_ = std::make_shared<Session>(context_.loop, std::move(stream), Mux::Role::kClient, nullptr,
                                       [weak = weak_from_this()](const Error& error) {
                                         const auto self = weak.lock();
                                         if (!self || !self->session_) return;
                                         const Stream& ended = self->session_->stream();
                                         self->context_.closed_sent += ended.bytes_written();
                                         self->context_.closed_received += ended.bytes_read();
                                         self->session_.reset();
                                         if (self->done_) return self->end_later(error);
                                         if (self->on_lost_) self->on_lost_(error);
                                       });
  if (const auto& token = context_.options.token) session_->mux().authenticate(*token);
  connecting->connect(context_.options.url.host, context_.options.url.port,
                      [weak = weak_from_this(), session = std::weak_ptr(session_), then](Status result) {
                        const auto self = weak.lock();
                        const auto connected = session.lock();
                        if (!self || !connected || self->session_ != connected) return;
                        if (!result) return connected->close(result.error());
                        connected->start();
                        then();
                      });
}

void LoadClient::open(const std::function<std::shared_ptr<Conversation>(StreamPort&)>& make) {
  if (!session_) return end_later({Code::kNetwork, "The connection was lost."});
  if (const auto opened = session_->mux().open(make); !opened) end_later(opened.error());
}

void LoadClient::connect(OutcomeDone done) {
  begin(std::move(done), [this] {
    // A connection counts when the server has answered.
    ask<wire::Stat, wire::Entries>({{"load"}}, [this](const wire::Entries&) { end(0); });
  });
}

void LoadClient::seed(OutcomeDone done) {
  begin(std::move(done), [this] { upload(acknowledged_, Delta::kNo); });
}

void LoadClient::transfer(Operation operation, OutcomeDone done) {
  begin(std::move(done), [this, operation] {
    switch (operation) {
      case Operation::kUpload:
        return upload(acknowledged_.fresh(), Delta::kNo);
      case Operation::kUploadDelta:
        return upload(acknowledged_.edited(context_.options.edits), Delta::kYes);
      case Operation::kDownload:
        return download(acknowledged_, std::nullopt, root_);
      case Operation::kDownloadDelta:
        return download(acknowledged_, acknowledged_.edited(context_.options.edits), root_);
      default: {
        wire::List list;
        list.path = path_.substr(0, path_.rfind('/'));
        list.limit = kListLimit;
        return ask<wire::List, wire::Entries>(list, [this](const wire::Entries&) { end(0); });
      }
    }
  });
}

void LoadClient::through_gate(std::uint64_t bytes, Step step) {
  const std::uint64_t held = std::min(bytes, kMostHeldBytes);
  context_.gate.pass(held, [weak = weak_from_this(), &context = context_, call = call_, held, step = std::move(step),
                            since = std::chrono::steady_clock::now()] {
    const auto self = weak.lock();
    if (!self || self->call_ != call) return context.gate.leave(held);
    context.gate_waits.record(microseconds_since(since));
    self->in_gate_bytes_ = held;
    step();
  });
}

void LoadClient::leave_gate() {
  if (const std::uint64_t bytes = std::exchange(in_gate_bytes_, 0); bytes > 0) context_.gate.leave(bytes);
}

void LoadClient::upload(FileRecipe recipe, Delta delta) {
  const std::uint64_t bytes = recipe.bytes();
  through_gate(bytes, [this, recipe = std::move(recipe), delta, bytes] {
    attempted_ = recipe;
    UploadTarget target;
    target.path = path_;
    target.source = recipe.source();
    // A time of its own, so that a version is a new one even where its bytes are not.
    target.attributes.mtime_ns = static_cast<std::int64_t>(recipe.version()) + 1;
    TransferOptions transfer;
    transfer.whole_file = delta == Delta::kNo;
    if (delta == Delta::kNo) transfer.expected = Expected{};
    const auto done = [this, call = call_, bytes](Result<TransferResult> result) {
      if (call != call_) return;
      if (!result) return end_later(result.error());
      acknowledged_ = *std::exchange(attempted_, std::nullopt);
      root_ = result->version.token.root;
      end(bytes);
    };
    const auto observe = [this, call = call_](const TransferProgress& now) {
      if (call == call_ && now.done_bytes == now.total_bytes) leave_gate();
    };
    open([&](StreamPort& port) {
      return make_upload(port, std::move(target), transfer, context_.toolbox, done, observe);
    });
  });
}

void LoadClient::download(const FileRecipe& expected, std::optional<FileRecipe> basis,
                          const std::optional<Digest>& root) {
  const std::uint64_t bytes = expected.bytes();
  // With a basis that is hashed first; the parts that arrive are bounded by credit.
  through_gate(bytes, [this, source = expected.source(), basis = std::move(basis), root, bytes] {
    DownloadTarget target;
    target.path = path_;
    if (basis) target.basis = basis->source();
    target.open_draft = [source](const std::shared_ptr<const Source>&,
                                 std::shared_ptr<const ChunkList> chunks) -> Result<std::unique_ptr<DownloadDraft>> {
      return make_checking_draft(source, std::move(chunks));
    };
    TransferOptions transfer;
    transfer.whole_file = !basis;
    const auto done = [this, call = call_, bytes, root](Result<TransferResult> result) {
      if (call != call_) return;
      if (!result) return end_later(result.error());
      if (root && result->version.token.root != *root)
        return end_later({Code::kIntegrity, "The server has another version than the one that it acknowledged."});
      end(bytes);
    };
    const auto observe = [this, call = call_](const TransferProgress& now) {
      if (call == call_ && now.done_bytes == now.total_bytes) leave_gate();
    };
    if (!session_) return end_later({Code::kNetwork, "The connection was lost."});
    const auto open_stream = [weak = weak_from_this()](const auto& make) -> Result<std::uint32_t> {
      const auto self = weak.lock();
      if (!self || !self->session_) return fail(Code::kNetwork, "The connection was lost.");
      return self->session_->mux().open(make);
    };
    if (const Status begun = begin_download(open_stream, std::move(target), transfer, context_.toolbox, done, observe);
        !begun)
      end_later(begun.error());
  });
}

template <typename Request, typename Reply>
void LoadClient::ask(const Request& request, std::function<void(const Reply&)> on_reply) {
  const auto done = [this, call = call_, on_reply = std::move(on_reply)](const Result<Reply>& reply) {
    if (call != call_) return;
    if (!reply) return end_later(reply.error());
    on_reply(*reply);
  };
  open([&](StreamPort& port) -> std::shared_ptr<Conversation> {
    if constexpr (std::is_same_v<Reply, wire::Entries>)
      return make_query(port, request, done);
    else
      return make_request(port, request, done);
  });
}

void LoadClient::verify(Depth depth, OutcomeDone done) {
  begin(std::move(done), [this, depth] {
    ask<wire::Stat, wire::Entries>({{path_}}, [this, depth](const wire::Entries& reply) {
      if (reply.entries.size() != 1 || reply.entries.front().error != 0)
        return end(fail(Code::kIntegrity, "The server does not have '" + path_ + "' any more."));
      const bool same = reply.entries.front().version.token.root == root_;
      if (!same && attempted_) return download(*attempted_, std::nullopt, std::nullopt);
      if (!same) return end(fail(Code::kIntegrity, "The server has something else for '" + path_ + "'."));
      if (depth == Depth::kContent) return download(acknowledged_, std::nullopt, root_);
      end(0);
    });
  });
}

void LoadClient::remove(OutcomeDone done) {
  begin(std::move(done), [this] {
    wire::Delete request;
    request.path = path_;
    ask<wire::Delete, wire::Done>(request, [this](const wire::Done&) { end(0); });
  });
}

void LoadClient::expire(std::chrono::steady_clock::time_point now) {
  if (busy() && now - begun_ >= context_.options.timeout)
    close({Code::kNetwork, "The server has not done what it was asked for within the time of --timeout."});
}

void LoadClient::close(const Error& error) {
  if (const auto session = session_) session->close(error);
}

}  // namespace millrace
