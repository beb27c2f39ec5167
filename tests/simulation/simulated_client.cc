#include "simulation/simulated_client.h"

#include <algorithm>

#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "simulation/paths_and_contents.h"
#include "support/memory_download.h"
#include "sync/download_attempts.h"
#include "sync/query_client.h"
#include "sync/upload_client.h"

namespace millrace::simulation {

namespace {

constexpr std::size_t kMostAtOnce = 4;
constexpr std::uint64_t kMostAttempts = 5;
constexpr std::int64_t kPatience = 300 * SimulatedClock::kSecond;

bool may_pass(const Error& error) {
  return error.code == Code::kNetwork || error.code == Code::kBusy || error.code == Code::kTooSlow ||
         error.code == Code::kFailed || error.code == Code::kQuota || error.code == Code::kSourceChanged;
}

template <typename Done>
Status status_of(const Result<Done>& result) {
  if (!result) return fail(result.error());
  return {};
}

}  // namespace

SimulatedClient::SimulatedClient(Simulation& simulation, SimulatedServer& server, WriteEnds& ends,
                                 SimulatedClock::Owner number)
    : simulation_(simulation),
      random_(simulation.random),
      server_(server),
      ends_(ends),
      number_(number),
      loop_(std::make_shared<SimulatedLoop>(simulation, number)),
      lanes_(loop_, LaneSizes::for_client()),
      toolbox_{make_sha256, make_zstd_codec, shared_random(simulation.random())} {}

SimulatedClient::~SimulatedClient() {
  loop_->end();
  simulation_.clock.drop(number_);
  disconnect();
}

void SimulatedClient::begin(std::uint64_t operations) {
  left_ = operations;
  begin_later();
}

void SimulatedClient::begin_later() {
  const std::int64_t rest = simulation_.chance(3)
                                ? static_cast<std::int64_t>(random_.below(8 * SimulatedClock::kSecond))
                                : some_time(random_);
  simulation_.clock.after(rest, number_, [this] { begin_one(); });
}

void SimulatedClient::begin_one() {
  if (left_ == 0) return;
  if (open_.size() < kMostAtOnce) {
    --left_;
    const auto operation = std::make_shared<Operation>();
    operation->number = next_operation_++;
    operation->path = random_path(random_);
    const std::uint64_t kind = random_.below(16);
    operation->kind = kind < 8    ? Kind::kUpload
                      : kind < 12 ? Kind::kDownload
                      : kind < 13 ? Kind::kRemove
                      : kind < 14 ? Kind::kMove
                      : kind < 15 ? Kind::kList
                                  : Kind::kChanges;
    const auto known = believed_.find(operation->path);
    const auto believed = known == believed_.end() ? FileModel::kAbsent : known->second;
    TransferOptions& options = operation->options;
    options.level = static_cast<int>(random_.below(3));
    if (simulation_.chance(2)) options.max_depth = static_cast<std::uint32_t>(random_.below(3));
    options.whole_file = simulation_.chance(4);
    operation->forced = simulation_.chance(2);
    operation->basis = simulation_.chance(2) ? believed : FileModel::kAbsent;
    if (operation->kind == Kind::kUpload) {
      const bool is_same = believed != FileModel::kAbsent && simulation_.chance(8);
      operation->content = is_same ? believed : new_content(simulation_, believed);
      const std::uint64_t expected = random_.below(4);
      if (expected == 0) options.expected = Expected{};
      if (expected == 1 && known != believed_.end()) {
        options.expected = believed == FileModel::kAbsent
                               ? Expected{Expected::Kind::kNone, {}}
                               : Expected{Expected::Kind::kRoot, simulation_.model.content(believed).root};
      }
    }
    if (operation->kind == Kind::kMove) {
      operation->to = random_path(random_);
      if (operation->to == operation->path) operation->kind = Kind::kList;
    }
    open_[operation->number] = operation;
    attempt(operation);
  }
  if (left_ > 0) begin_later();
}

bool SimulatedClient::connect() {
  if (session_ && !session_->is_closed()) return true;
  if (!server_.is_up()) return false;
  const std::uint64_t room = std::uint64_t{1024} << random_.below(8);
  const auto wire = std::make_shared<SimulatedWire>(simulation_, room);
  session_ = std::make_shared<SimulatedSession>(
      loop_, lanes_, wire, 0, nullptr, [] {}, nullptr);
  server_.take(wire);
  session_->start();
  // What the network does to it.
  const std::weak_ptr<SimulatedWire> weak = wire;
  if (simulation_.chance(3)) {
    simulation_.clock.after(some_time(random_) * 40, 0, [weak] {
      if (const auto found = weak.lock()) found->cut(-1);
    });
  }
  if (simulation_.chance(4)) {
    const std::int64_t longest = (simulation_.chance(5) ? 2000 : 40) * SimulatedClock::kSecond;
    const auto stall = static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(longest)));
    simulation_.clock.after(some_time(random_) * 20, 0, [weak, stall] {
      if (const auto found = weak.lock()) found->stall(stall);
    });
  }
  return true;
}

void SimulatedClient::disconnect() {
  if (session_) session_->close({Code::kNetwork, "The client ends the connection."});
}

void SimulatedClient::attempt(const OperationPtr& operation) {
  ++operation->attempt;
  operation->writes.clear();
  operation->since = simulation_.model.now();
  if (!connect()) return over(operation, fail(Code::kNetwork, "The server is down."));
  simulation_.clock.after(kPatience, number_, [this, operation, attempt = operation->attempt] {
    if (open_.contains(operation->number) && operation->attempt == attempt) disconnect();
  });
  switch (operation->kind) {
    case Kind::kUpload:
      return upload(operation);
    case Kind::kDownload:
      return download(operation);
    case Kind::kRemove:
      return remove(operation);
    case Kind::kMove:
      return move(operation);
    case Kind::kList:
      return list(operation);
    case Kind::kChanges:
      return changes(operation);
  }
}

void SimulatedClient::open(const OperationPtr& operation,
                           const std::function<std::shared_ptr<Conversation>(StreamPort&)>& make) {
  const auto opened = session_->mux().open(make);
  if (!opened) over(operation, fail(opened.error()));
}

void SimulatedClient::upload(const OperationPtr& operation) {
  const FileModel::Content& content = simulation_.model.content(operation->content);
  const auto write = ends_.begin(operation->path, operation->content, operation->options.expected.value_or(Expected{}));
  const bool only_try = operation->attempt == 1;
  UploadTarget target{operation->path, std::make_shared<BufferSource>(content.bytes), {simulation_.clock.now(), 0644}};
  if (content.bytes.size() < 64'000 && is_sent_whole(operation->options, content.bytes.size()) &&
      simulation_.chance(2)) {
    auto prepared = prepare_target(*target.source, *make_sha256(), *make_zstd_codec(), 1);
    if (prepared) target.prepared = std::make_shared<const PreparedTarget>(std::move(*prepared));
  }
  open(operation, [&](StreamPort& port) {
    return make_upload(
        port, std::move(target), operation->options, toolbox_,
        [this, operation, write, only_try](Result<TransferResult> result) {
          ends_.ended(write, result ? Result<Version>(result->version) : fail(result.error()), only_try);
          if (result) believed_[operation->path] = operation->content;
          over(operation, status_of(result));
        },
        nullptr);
  });
}

void SimulatedClient::download(const OperationPtr& operation) {
  const auto bytes = std::make_shared<Buffer>();
  DownloadTarget target;
  target.path = operation->path;
  if (operation->basis != FileModel::kAbsent) {
    *bytes = simulation_.model.content(operation->basis).bytes;
    target.basis = std::make_shared<BufferSource>(*bytes);
  }
  target.open_draft = [bytes](const auto& basis, const auto& chunks) {
    return test::open_memory_download(basis, chunks, *bytes);
  };
  // Weak, as in the real clients: the session may hold the conversation until its own end.
  const auto open_stream = [weak = std::weak_ptr(session_)](const auto& make) -> Result<std::uint32_t> {
    const auto session = weak.lock();
    if (!session) return fail(Code::kNetwork, "The connection was lost.");
    return session->mux().open(make);
  };
  const auto begun = begin_download(
      open_stream, std::move(target), operation->options, toolbox_,
      [this, operation, bytes](const Result<TransferResult>& result) {
        check_download(*operation, result, *bytes);
        over(operation, status_of(result));
      },
      nullptr);
  if (!begun) over(operation, fail(begun.error()));
}

void SimulatedClient::check_download(const Operation& operation, const Result<TransferResult>& result,
                                     const Buffer& bytes) {
  FileModel& model = simulation_.model;
  if (!result && result.error().code != Code::kNotFound) {
    if (result.error().code == Code::kIntegrity) simulation_.fail("download: " + result.error().sentence);
    return;
  }
  const auto id = result ? model.find(result->version.token.root) : FileModel::kAbsent;
  if (result && (id == FileModel::kUnknown || bytes != model.content(id).bytes))
    simulation_.fail("a download of " + operation.path + " gave other bytes than its root says");
  if (!model.found(operation.path, id, operation.since))
    simulation_.fail("a download of " + operation.path + " gave content " + std::to_string(id) + ":\n" +
                     model.describe(operation.path));
  believed_[operation.path] = id;
}

void SimulatedClient::remove(const OperationPtr& operation) {
  const auto write = simulation_.model.begin_removal(operation->path);
  operation->writes = {write};
  wire::Delete request;
  request.path = operation->path;
  open(operation, [&](StreamPort& port) {
    return make_request(port, request,
                        [this, operation](const Result<wire::Done>& result) { over(operation, status_of(result)); });
  });
}

void SimulatedClient::move(const OperationPtr& operation) {
  operation->writes = {simulation_.model.begin_move(operation->path, operation->to),
                       simulation_.model.begin_removal(operation->path)};
  wire::Move request;
  request.from = operation->path;
  request.to = operation->to;
  request.force = operation->forced;
  open(operation, [&](StreamPort& port) {
    return make_request(port, request,
                        [this, operation](const Result<wire::Done>& result) { over(operation, status_of(result)); });
  });
}

void SimulatedClient::list(const OperationPtr& operation) {
  wire::List request;
  request.recursive = true;
  open(operation, [&](StreamPort& port) {
    return make_query(port, request, [this, operation](const Result<wire::Entries>& result) {
      if (result) check_entries(*operation, *result);
      over(operation, status_of(result));
    });
  });
}

void SimulatedClient::changes(const OperationPtr& operation) {
  open(operation, [&](StreamPort& port) {
    return make_query(port, wire::Changes{}, [this, operation](const Result<wire::Entries>& result) {
      if (result) check_entries(*operation, *result);
      over(operation, status_of(result));
    });
  });
}

void SimulatedClient::check_entries(const Operation& operation, const wire::Entries& entries) {
  FileModel& model = simulation_.model;
  std::uint64_t last = 0;
  for (const wire::EntryMessage& entry : entries.entries) {
    const bool is_change = operation.kind == Kind::kChanges;
    if (is_change && entry.version.token.sequence <= last) simulation_.fail("changes are not in their order");
    last = entry.version.token.sequence;
    const bool is_file = entry.kind == static_cast<std::uint32_t>(EntryKind::kFile);
    if (!is_file || entry.version.token.root.is_zero()) continue;
    // The feed may be behind the files for as long as nobody looks at them.
    const auto id = model.find(entry.version.token.root);
    const bool may_be = is_change ? id != FileModel::kUnknown : model.may_be(entry.path, id, operation.since);
    if (!may_be)
      simulation_.fail("an entry for " + entry.path + " has content " + std::to_string(id) + ":\n" +
                       model.describe(entry.path));
    believed_[entry.path] = id;
  }
}

void SimulatedClient::over(const OperationPtr& operation, const Status& result) {
  if (!open_.contains(operation->number)) return;
  if (!result)
    simulation_.note("client " + std::to_string(number_) + ": " + operation->path + ": " + result.error().sentence);
  const bool is_refused = !result && operation->attempt == 1 && is_refusal(result.error());
  for (const auto write : operation->writes) {
    if (result) simulation_.model.acknowledged(write);
    if (is_refused) simulation_.model.refused(write);
  }
  if (!result && may_pass(result.error()) && operation->attempt < kMostAttempts) {
    const auto rest = static_cast<std::int64_t>(random_.below(15 * SimulatedClock::kSecond));
    simulation_.clock.after(rest, number_, [this, operation] { attempt(operation); });
    return;
  }
  open_.erase(operation->number);
}

std::string SimulatedClient::describe() const {
  std::string out = "client " + std::to_string(number_) + ": " + std::to_string(left_) + " left;";
  for (const auto& [number, operation] : open_)
    out += " kind " + std::to_string(static_cast<int>(operation->kind)) + " of " + operation->path + " attempt " +
           std::to_string(operation->attempt) + ";";
  return out;
}

}  // namespace millrace::simulation
