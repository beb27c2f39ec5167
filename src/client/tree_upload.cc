#include "client/tree_upload.h"

#include "base/path.h"
#include "client/upload_file.h"
#include "sync/patch_sender.h"
#include "sync/query_client.h"
#include "sync/upload_client.h"

namespace millrace {

namespace {

constexpr std::size_t kWalkBatch = 512;
constexpr std::size_t kMostWalked = 2048;  ///< that wait for a STAT
constexpr std::size_t kStatPaths = 500;
constexpr std::size_t kStatPathBytes = 100'000;  ///< a message holds 256 KiB
constexpr std::size_t kMostStats = 2;
constexpr std::size_t kMostToSend = 2048;
constexpr std::size_t kPrepareBatch = 32;
constexpr std::size_t kMostPreparing = 4;
constexpr std::size_t kMostReady = 256;
constexpr std::uint64_t kLoadBytes = 64 * 1024;  ///< files up to here are read whole when they are opened
constexpr std::uint64_t kMostReadyBytes = 8u << 20;

}  // namespace

/// Shared with the job that runs.
struct TreeUpload::Walk {
  std::vector<std::string> locals;
  Selection selection;
  std::size_t next_local = 0;
  std::optional<TreeWalk> walk;
  std::vector<WalkedEntry> found;
  bool over = false;

  void step() {
    found.clear();
    while (found.empty() && !over) {
      if (!walk) {
        if (next_local == locals.size()) {
          over = true;
          return;
        }
        walk.emplace(locals[next_local++], selection);
      }
      found = walk->next(kWalkBatch);
      if (found.empty()) walk.reset();
    }
  }
};

struct TreeUpload::Preparation {
  std::vector<Candidate> candidates;
  std::vector<bool> whole;  ///< those that will be sent without a question
  Toolbox toolbox;
  int level = 0;
  struct Opened {
    Result<std::shared_ptr<LocalSource>> source;
    std::shared_ptr<const PreparedTarget> prepared;
  };
  std::vector<Opened> opened;

  void run() {
    const auto hasher = toolbox.hasher();
    const auto codec = toolbox.codec();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      opened.push_back({open(candidates[i].entry), nullptr});
      const auto& source = opened.back().source;
      if (!source || !whole[i] || (*source)->size() > kLoadBytes) continue;
      // What fails here fails again, and is told, when it is sent.
      if (auto prepared = prepare_target(**source, *hasher, *codec, level))
        opened.back().prepared = std::make_shared<const PreparedTarget>(std::move(*prepared));
    }
  }
};

TreeUpload::TreeUpload(CommandRun& run, std::vector<std::string> locals, std::string folder, Selection selection)
    : run_(run), folder_(std::move(folder)), walk_(std::make_shared<Walk>()) {
  walk_->locals = std::move(locals);
  walk_->selection = std::move(selection);
}

void TreeUpload::begin() {
  advance();
}

void TreeUpload::advance() {
  walk();
  ask_what_is_there();
  prepare();
  if (on_ready && (!ready_.empty() || exhausted())) on_ready();
}

void TreeUpload::walk() {
  if (walking_ || walked_all_ || walked_.size() >= kMostWalked) return;
  walking_ = true;
  run_.connection.start_job([walk = walk_] { walk->step(); },
                            [this] {
                              walking_ = false;
                              for (WalkedEntry& entry : walk_->found) take(std::move(entry));
                              walk_->found.clear();
                              if (walk_->over) {
                                walked_all_ = true;
                                run_.meter.all_found();
                                run_.report.plan(files_found_, bytes_found_);
                              }
                              advance();
                            });
}

void TreeUpload::take(WalkedEntry entry) {
  Candidate candidate{std::move(entry), {}, {}};
  candidate.remote = folder_ + candidate.entry.path;
  const WalkedEntry& found = candidate.entry;
  if (found.kind == WalkedEntry::Kind::kSkipped) return run_.report.skipped(found.path, found.reason);
  if (found.kind == WalkedEntry::Kind::kFailed) return run_.report.failed(found.error, candidate.remote);
  if (const auto checked = check_path(candidate.remote, RootAllowed::kNo); !checked)
    return run_.report.failed(checked.error(), candidate.remote);
  ++files_found_;
  bytes_found_ += found.bytes;
  run_.meter.found(found.bytes);
  walked_.push_back(std::move(candidate));
}

void TreeUpload::ask_what_is_there() {
  while (asking_ < kMostStats && to_send_.size() < kMostToSend) {
    // A full batch is worth waiting for while the walk goes on.
    if (walked_.empty() || (walked_.size() < kStatPaths && !walked_all_)) return;
    auto batch = std::make_shared<std::vector<Candidate>>();
    wire::Stat request;
    for (std::size_t bytes = 0; !walked_.empty() && batch->size() < kStatPaths && bytes < kStatPathBytes;) {
      bytes += walked_.front().remote.size();
      request.paths.push_back(walked_.front().remote);
      batch->push_back(std::move(walked_.front()));
      walked_.pop_front();
    }
    ++asking_;
    ask_about(request, batch);
  }
}

void TreeUpload::ask_about(const wire::Stat& request, const std::shared_ptr<std::vector<Candidate>>& batch) {
  const auto answered = [this, request, batch](const Result<wire::Entries>& reply) {
    if (!reply && run_.connection.try_later(reply.error(), [this, request, batch] { ask_about(request, batch); }))
      return;
    --asking_;
    const bool fits = reply && reply->entries.size() == batch->size();
    for (std::size_t i = 0; i < batch->size(); ++i) {
      Candidate& candidate = (*batch)[i];
      if (fits) candidate.there = reply->entries[i];
      compare(std::move(candidate));
    }
    if (!run_.connection.lost()) advance();
  };
  const auto opened = run_.connection.mux().open([&](StreamPort& port) { return make_query(port, request, answered); });
  // Without an answer each file asks for itself.
  if (!opened) answered(fail(opened.error()));
}

/// What is the same needs nothing more.
void TreeUpload::compare(Candidate candidate) {
  const WalkedEntry& entry = candidate.entry;
  const auto& there = candidate.there;
  if (there && !run_.options.checksum && is_alike(*there, entry.bytes, entry.attributes)) {
    const std::size_t number = next_number_++;
    run_.meter.file_begins(number, entry.bytes);
    run_.report.file_alike(entry.place.shown(), candidate.remote, there->version);
    run_.meter.file_done(number);
    return;
  }
  to_send_.push_back(std::move(candidate));
}

Result<std::shared_ptr<LocalSource>> TreeUpload::open(const WalkedEntry& entry) {
  if (entry.bytes <= kLoadBytes) {
    auto loaded = LoadedFile::load(entry.place, kLoadBytes);
    if (!loaded) return fail(loaded.error());
    if (*loaded != nullptr) return std::shared_ptr<LocalSource>(std::move(*loaded));
  }
  MILLRACE_ASSIGN(auto file, FileSource::open(entry.place));
  return std::shared_ptr<LocalSource>(std::move(file));
}

void TreeUpload::prepare() {
  while (preparing_ < kMostPreparing && !to_send_.empty() && ready_.size() < kMostReady &&
         ready_bytes_ < kMostReadyBytes) {
    auto preparation = std::make_shared<Preparation>();
    std::uint64_t bytes = 0;
    while (!to_send_.empty() && preparation->candidates.size() < kPrepareBatch && bytes < kMostReadyBytes / 4) {
      bytes += to_send_.front().entry.bytes;
      preparation->candidates.push_back(std::move(to_send_.front()));
      to_send_.pop_front();
    }
    ++preparing_;
    const TransferOptions options = run_.options.transfer();
    Mux& mux = run_.connection.mux();
    preparation->toolbox = run_.toolbox;
    preparation->level = patch_limits(options.level.value_or(level_for(run_.connection.link())), mux.peer()).level;
    for (const Candidate& candidate : preparation->candidates)
      preparation->whole.push_back(!run_.options.dry_run &&
                                   is_sent_whole(options_for(candidate), candidate.entry.bytes));
    run_.connection.start_job([preparation] { preparation->run(); },
                              [this, preparation] {
                                --preparing_;
                                on_prepared(*preparation);
                                advance();
                              });
  }
}

void TreeUpload::on_prepared(Preparation& preparation) {
  for (std::size_t i = 0; i < preparation.candidates.size(); ++i) {
    Candidate& candidate = preparation.candidates[i];
    auto& source = preparation.opened[i].source;
    if (source) {
      ready_bytes_ += (*source)->size();
      ready_.push_back({std::move(candidate), std::move(*source), std::move(preparation.opened[i].prepared)});
      continue;
    }
    const std::size_t number = next_number_++;
    run_.meter.file_begins(number, candidate.entry.bytes);
    const bool vanished = source.error().code == Code::kNotFound;
    run_.report.failed(vanished ? Error{Code::kSourceChanged, "'" + printable(candidate.entry.place.shown()) +
                                                                  "' vanished before it was read."}
                                : source.error(),
                       candidate.remote);
    run_.meter.file_done(number);
  }
}

std::optional<std::uint64_t> TreeUpload::next_bytes() const {
  if (ready_.empty()) return std::nullopt;
  return ready_.front().source->size();
}

void TreeUpload::start_next(std::function<void()> over) {
  Ready next = std::move(ready_.front());
  ready_.pop_front();
  ready_bytes_ -= next.source->size();
  const std::size_t number = next_number_++;
  run_.meter.file_begins(number, next.candidate.entry.bytes);
  const WalkedEntry& entry = next.candidate.entry;
  const auto& there = next.candidate.there;
  if (run_.options.dry_run) {
    say_would_upload(run_, entry.place.shown(), next.candidate.remote, next.source->size(), next.source->attributes(),
                     there.value_or(wire::EntryMessage{}));
    run_.meter.file_done(number);
    over();
  } else {
    upload_file(
        run_,
        {number, entry.place.shown(), next.candidate.remote, [entry] { return open(entry); }, std::move(next.prepared)},
        next.source, options_for(next.candidate), [this, number, over = std::move(over)] {
          run_.meter.file_done(number);
          over();
        });
  }
  if (ready_.size() < kMostReady / 2) prepare();
}

TransferOptions TreeUpload::options_for(const Candidate& candidate) const {
  TransferOptions options = run_.options.transfer();
  const auto& there = candidate.there;
  if (there && code_from_wire(there->error) == Code::kNotFound) options.whole_file = true;
  return options;
}

bool TreeUpload::exhausted() const {
  return walked_all_ && !walking_ && asking_ == 0 && preparing_ == 0 && walked_.empty() && to_send_.empty() &&
         ready_.empty();
}

void TreeUpload::leave_behind(const Error& error) {
  for (const Candidate& candidate : walked_) run_.report.left_behind(error, candidate.remote);
  for (const Candidate& candidate : to_send_) run_.report.left_behind(error, candidate.remote);
  for (const Ready& ready : ready_) run_.report.left_behind(error, ready.candidate.remote);
}

}  // namespace millrace
