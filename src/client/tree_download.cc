#include "client/tree_download.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "client/file_draft.h"
#include "client/upload_file.h"
#include "sync/download_attempts.h"
#include "sync/query_client.h"

namespace millrace {

namespace {

constexpr std::size_t kMostToPrepare = 4096;
constexpr std::size_t kFilesOfAJob = 32;
constexpr std::size_t kMostJobs = 4;
constexpr std::size_t kMostOpen = 128;  ///< each may hold two files open

bool is_kind(const wire::EntryMessage& entry, EntryKind kind) {
  return entry.kind == static_cast<std::uint32_t>(kind);
}

Status give_attributes(const FileSource& file, const Attributes& attributes, const std::string& shown) {
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                             {.tv_sec = static_cast<time_t>(attributes.mtime_ns / 1'000'000'000),
                              .tv_nsec = static_cast<long>(attributes.mtime_ns % 1'000'000'000)}};
  if (fchmod(file.descriptor(), attributes.mode & 0777) == 0 && futimens(file.descriptor(), times) == 0) return {};
  return fail(system_error(errno, "Mode and time of '" + printable(shown) + "' cannot be set"));
}

}  // namespace

/// Shared with the job that runs.
struct TreeDownload::Preparation {
  std::shared_ptr<const LocalFolder> top;
  std::vector<Candidate> candidates;
  std::vector<Result<Ready>> looked;
};

TreeDownload::TreeDownload(CommandRun& run, std::vector<std::string> remotes, std::string local, Selection selection)
    : run_(run), remotes_(std::move(remotes)), local_(std::move(local)), selection_(std::move(selection)) {}

Status TreeDownload::begin() {
  const bool made = run_.options.dry_run || ::mkdir(local_.c_str(), 0777) == 0 || errno == EEXIST;
  if (!made) return fail(system_error(errno, "The folder '" + printable(local_) + "' cannot be made"));
  auto top = LocalFolder::open(local_);
  const bool may_be_missing = run_.options.dry_run && !top && top.error().code == Code::kNotFound;
  if (!top && !may_be_missing) return fail(top.error());
  if (top) top_ = std::move(*top);
  advance();
  return {};
}

void TreeDownload::advance() {
  list();
  prepare();
  if (next_remote_ == remotes_.size() && !in_root_ && run_.meter.open_ended()) {
    run_.meter.all_found();
    run_.report.plan(files_found_, bytes_found_);
  }
  if (on_ready && (!ready_.empty() || exhausted())) on_ready();
}

void TreeDownload::list() {
  if (listing_ || to_prepare_.size() >= kMostToPrepare) return;
  if (!in_root_) {
    if (next_remote_ == remotes_.size()) return;
    root_ = remotes_[next_remote_++];
    name_ = selection_.names ? std::string() : tree_name(root_);
    while (root_.ends_with('/')) root_.pop_back();
    cursor_.clear();
    in_root_ = true;
    if (selection_.names) unseen_names_ = {selection_.names->begin(), selection_.names->end()};
  }
  listing_ = true;
  wire::List request;
  request.path = root_;
  request.recursive = true;
  request.cursor = cursor_;
  const auto answered = [this](const Result<wire::Entries>& reply) {
    if (!reply && ask_later(reply.error())) return;
    listing_ = false;
    if (reply) {
      on_listed(*reply);
    } else {
      in_root_ = false;
      const bool is_file = reply.error().code == Code::kConflict && !name_.empty();
      if (is_file) {
        found(0);
        to_prepare_.push_back({root_, name_, std::nullopt});
      } else {
        run_.report.failed(reply.error(), root_);
      }
    }
    if (!run_.connection.lost()) advance();
  };
  const auto opened = run_.connection.mux().open([&](StreamPort& port) { return make_query(port, request, answered); });
  if (opened || ask_later(opened.error())) return;
  listing_ = false;
  in_root_ = false;
  run_.report.failed(opened.error(), root_);
}

bool TreeDownload::ask_later(const Error& error) {
  return run_.connection.try_later(error, [this] {
    listing_ = false;
    list();
  });
}

void TreeDownload::on_listed(const wire::Entries& entries) {
  for (const wire::EntryMessage& entry : entries.entries) take(entry);
  const bool stuck = !entries.next_cursor.empty() && entries.next_cursor == cursor_;
  cursor_ = entries.next_cursor;
  if (stuck) run_.report.failed({Code::kProtocol, "The server's listing does not go on from where it stopped."}, root_);
  if (stuck || cursor_.empty()) end_of_root();
}

void TreeDownload::end_of_root() {
  in_root_ = false;
  for (const std::string& name : unseen_names_)
    run_.report.failed({Code::kNotFound, "There is no '" + printable(joined(root_, name)) + "' on the server."},
                       joined(root_, name));
  unseen_names_.clear();
}

void TreeDownload::found(std::uint64_t bytes) {
  ++files_found_;
  bytes_found_ += bytes;
  run_.meter.found(bytes);
}

/// Names that were asked for, and what is below them.
bool TreeDownload::is_wanted(const std::string& path) {
  if (!selection_.names) return true;
  for (std::size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const bool named = std::binary_search(selection_.names->begin(), selection_.names->end(), part);
    if (named) {
      unseen_names_.erase(part);
      return true;
    }
    if (slash == std::string::npos) return false;
  }
}

void TreeDownload::take(const wire::EntryMessage& entry) {
  const std::string below =
      root_.empty() ? entry.path : entry.path.substr(std::min(entry.path.size(), root_.size() + 1));
  const bool honest = check_path(below, RootAllowed::kNo) && joined(root_, below) == entry.path;
  if (!honest) {
    return run_.report.failed(
        {Code::kNotAllowed, "The server lists a name that leads out of the folder; it is left out."}, entry.path);
  }
  const bool folder = is_kind(entry, EntryKind::kFolder);
  const std::string path = joined(name_, below);
  if (!is_wanted(below) || selection_.patterns.hides(path, folder ? EntryType::kFolder : EntryType::kFile)) return;
  if (folder) return;
  if (!is_kind(entry, EntryKind::kFile)) return run_.report.skipped(entry.path, "a symbolic link");
  if (is_unfinished_name(last_part(path))) return run_.report.skipped(entry.path, "named like an unfinished download");
  found(entry.version.bytes);
  to_prepare_.push_back({entry.path, path, entry});
}

Result<TreeDownload::Ready> TreeDownload::look(const LocalFolder& top, Candidate candidate,
                                               const CommandOptions& options) {
  Ready ready;
  auto folder = top.below(parent_path(candidate.path), options.dry_run ? Missing::kFail : Missing::kMake);
  const std::string name(last_part(candidate.path));
  if (!folder) {
    if (!options.dry_run || folder.error().code != Code::kNotFound) return fail(folder.error());
    ready.candidate = std::move(candidate);
    return ready;
  }
  ready.place = {std::move(*folder), name};
  struct stat stat {};
  if (fstatat(ready.place.folder->descriptor(), name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(stat.st_mode)) {
      return fail(Code::kNotAllowed,
                  "'" + printable(ready.place.shown()) + "' is not a regular file and is not replaced.");
    }
    MILLRACE_ASSIGN(ready.basis, FileSource::open(ready.place));
    ready.alike = candidate.there && !options.checksum &&
                  is_alike(*candidate.there, ready.basis->size(), ready.basis->attributes());
  } else if (errno != ENOENT) {
    return fail(system_error(errno, "'" + printable(ready.place.shown()) + "' cannot be looked at"));
  }
  ready.candidate = std::move(candidate);
  return ready;
}

void TreeDownload::prepare() {
  while (preparing_ < kMostJobs && !to_prepare_.empty() && ready_.size() < kMostOpen) {
    auto preparation = std::make_shared<Preparation>();
    preparation->top = top_;
    while (!to_prepare_.empty() && preparation->candidates.size() < kFilesOfAJob) {
      preparation->candidates.push_back(std::move(to_prepare_.front()));
      to_prepare_.pop_front();
    }
    ++preparing_;
    run_.connection.start_job(
        [preparation, options = run_.options] {
          for (const Candidate& candidate : preparation->candidates) {
            Ready nothing_there;
            nothing_there.candidate = candidate;
            preparation->looked.push_back(preparation->top ? look(*preparation->top, candidate, options)
                                                           : Result<Ready>(std::move(nothing_there)));
          }
        },
        [this, preparation] {
          --preparing_;
          on_prepared(*preparation);
          advance();
        });
  }
}

void TreeDownload::on_prepared(Preparation& preparation) {
  for (std::size_t i = 0; i < preparation.looked.size(); ++i) {
    auto& looked = preparation.looked[i];
    if (looked && !looked->alike) {
      ready_.push_back(std::move(*looked));
      continue;
    }
    const Candidate& candidate = preparation.candidates[i];
    const std::size_t number = next_number_++;
    run_.meter.file_begins(number, candidate.there ? candidate.there->version.bytes : 0);
    if (looked) {
      run_.report.file_alike(looked->place.shown(), candidate.remote, candidate.there->version);
    } else {
      run_.report.failed(looked.error(), candidate.remote);
    }
    run_.meter.file_done(number);
  }
}

std::optional<std::uint64_t> TreeDownload::next_bytes() const {
  if (ready_.empty()) return std::nullopt;
  const auto& there = ready_.front().candidate.there;
  return there ? there->version.bytes : 0;
}

void TreeDownload::start_next(std::function<void()> over) {
  Ready ready = std::move(ready_.front());
  ready_.pop_front();
  const std::size_t number = next_number_++;
  const auto& there = ready.candidate.there;
  const std::uint64_t bytes = there ? there->version.bytes : 0;
  run_.meter.file_begins(number, bytes);
  const auto ended = [this, number, over = std::move(over)] {
    run_.meter.file_done(number);
    over();
  };
  if (run_.options.dry_run) {
    run_.report.would(ready.candidate.remote, "download " + printable(ready.candidate.remote) + " to " +
                                                  printable(joined(local_, ready.candidate.path)) + " (" +
                                                  std::to_string(bytes) + " bytes; " +
                                                  (ready.basis ? "replaces the file there" : "new") + ")");
    ended();
  } else {
    fetch(std::move(ready), number, ended);
  }
  if (ready_.size() < kMostOpen / 2) prepare();
}

void TreeDownload::fetch(Ready ready, std::size_t number, std::function<void()> over) {
  DownloadTarget target;
  target.path = ready.candidate.remote;
  DraftPlace what{ready.basis, nullptr, run_.toolbox.random()};
  const auto& listed = ready.candidate.there;
  if (!listed || listed->version.bytes >= kLeastPartialDownload) what.partial = run_.partials.of(ready.place);
  set_basis(target, what);
  target.on_cut = [this](std::function<void()> work) { run_.connection.start_job(std::move(work), [] {}); };
  target.open_draft = [place = ready.place, what](std::shared_ptr<const Source> basis,
                                                  std::shared_ptr<const ChunkList> chunks) {
    return open_file_draft(place, what, std::move(basis), std::move(chunks));
  };
  const std::string remote = ready.candidate.remote;
  const std::string shown = ready.place.shown();
  const auto again = [this, ready, number, over] {
    Ready anew = ready;
    // It may have been complete and have taken its place just when the connection was lost.
    auto there = FileSource::open(ready.place);
    anew.basis = there ? std::move(*there) : nullptr;
    fetch(std::move(anew), number, over);
  };
  const auto done = [this, remote, shown, basis = ready.basis, over, again](const Result<TransferResult>& result) {
    if (!result && run_.connection.try_later(result.error(), again)) return;
    Status status = result ? Status() : Status(fail(result.error()));
    if (status && result->unchanged && basis) status = give_attributes(*basis, result->version.attributes, shown);
    if (status) {
      run_.report.file_done(shown, remote, *result, result->version.bytes);
    } else {
      run_.report.failed(status.error(), remote);
    }
    over();
  };
  const auto begun = begin_download([this](const auto& make) { return run_.connection.mux().open(make); },
                                    std::move(target), run_.options.transfer(), run_.toolbox, done,
                                    [this, number](const TransferProgress& now) { run_.meter.update(number, now); });
  if (begun || run_.connection.try_later(begun.error(), again)) return;
  run_.report.failed(begun.error(), remote);
  over();
}

bool TreeDownload::exhausted() const {
  return next_remote_ == remotes_.size() && !in_root_ && !listing_ && preparing_ == 0 && to_prepare_.empty() &&
         ready_.empty();
}

void TreeDownload::leave_behind(const Error& error) {
  for (const Candidate& candidate : to_prepare_) run_.report.left_behind(error, candidate.remote);
  for (const Ready& ready : ready_) run_.report.left_behind(error, ready.candidate.remote);
}

}  // namespace millrace
