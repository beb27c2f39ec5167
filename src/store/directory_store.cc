#include "store/directory_store.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>

#include "base/path.h"
#include "store/chunk_list_sweep.h"
#include "store/commit_queue.h"
#include "store/folder_listing.h"
#include "store/indexer.h"
#include "store/path_changes.h"
#include "store/recovery.h"
#include "store/restore.h"
#include "store/staged_draft.h"
#include "store/staging_shards.h"
#include "store/upload_attempts.h"
#include "store/upload_basis.h"

namespace millrace {

namespace {

constexpr std::uint64_t kAskedFor = 256u << 10;  ///< smaller uploads find out about a full disk by themselves

std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

class DirectoryStore final : public LocalStore {
 public:
  DirectoryStore(std::shared_ptr<StoreParts> parts, StoreOptions options)
      : parts_(std::move(parts)),
        options_(std::move(options)),
        versions_(*parts_, [this] { return now(); }),
        committer_(*parts_, versions_, options_.checkpoint_due),
        path_changes_(*parts_, versions_, committer_) {}
  ~DirectoryStore() override {
    if (!queue_) return;  // its recovery did not come to an end, and goes on at the next start
    queue_.reset();
    Status ended = parts_->catalogue->writable();
    if (!ended) return;  // it was reported, and recovery goes on
    ended = committer_.checkpoint();
    if (ended) ended = note_end(*parts_);
    if (!ended) report(ended.error().sentence);
  }

  /// What a start has to do before anything else; after a crash, its recovery.
  Status start(std::uint64_t boot) {
    MILLRACE_ASSIGN(const LastRun last, last_run(*parts_, boot));
    MILLRACE_TRY(redo_pending(*parts_, last, [this](const std::string& sentence) { report(sentence); }));
    MILLRACE_TRY(committer_.checkpoint());
    MILLRACE_TRY(sweep_staging(*parts_));
    MILLRACE_TRY(note_start(*parts_, last, boot));
    queue_.emplace(committer_, options_.committing);
    return {};
  }

  Result<std::optional<Version>> lookup(const Principal& principal, const std::string& path) override {
    const std::string full = below(principal, path);
    const std::lock_guard lock(parts_->mutex);
    MILLRACE_ASSIGN(const auto row, versions_.find(full));
    if (!row) return std::nullopt;
    return std::optional<Version>(row->version);
  }

  Result<std::shared_ptr<const StoredFile>> open(const Principal& principal, const std::string& path) override {
    const std::string full = below(principal, path);
    const std::lock_guard lock(parts_->mutex);
    MILLRACE_ASSIGN(const auto row, versions_.find(full));
    if (!row) return fail(Code::kNotFound, "There is no file '" + printable(path) + "' on the server.");
    return open_row(full, *row);
  }

  Result<Entry> stat(const Principal& principal, const std::string& path) override {
    const std::string full = below(principal, path);
    const auto found = disk().stat({Area::kFiles, full});
    if (!found && !(path.empty() && found.error() == ENOENT)) {
      if (found.error() == ENOENT || found.error() == ENOTDIR)
        return fail(Code::kNotFound, "There is no '" + printable(path) + "' on the server.");
      return fail(disk_error(found.error(), "stat", path));
    }
    Entry entry;
    entry.path = path;
    if (!found || found->kind == FileKind::kFolder) {
      entry.kind = EntryKind::kFolder;
      if (found) entry.version.attributes = {found->mtime_ns, found->mode};
      return entry;
    }
    if (found->kind == FileKind::kSymlink) {
      entry.kind = EntryKind::kSymlink;
      return entry;
    }
    if (found->kind == FileKind::kSpecial) return fail(not_a_file(found->kind, path));
    const std::lock_guard lock(parts_->mutex);
    MILLRACE_ASSIGN(const auto row, versions_.find(full));
    if (!row) return fail(Code::kNotFound, "There is no '" + printable(path) + "' on the server.");
    entry.version = row->version;
    return entry;
  }

  Result<std::unique_ptr<StoreDraft>> begin(const Principal& principal, const DraftRequest& request) override {
    DraftRequest full = request;
    full.path = below(principal, request.path);
    // Before anything goes for its sake.
    MILLRACE_ASSIGN(QuotaShare share, quota_share(principal, full.path, request.bytes, &parts_->quota_refusals));
    if (request.bytes >= kAskedFor) {
      auto free = disk().free_bytes();
      if (free && request.bytes > *free && parts_->make_room(request.bytes)) free = disk().free_bytes();
      if (free && request.bytes > *free) {
        parts_->quota_refusals.disk.add(1);
        return fail(Code::kQuota, "The server's disk has no room for '" + printable(request.path) + "': it needs " +
                                      std::to_string(request.bytes) + " bytes and " + std::to_string(*free) +
                                      " are free.");
      }
    }
    // Not under the store's lock: whoever begins does not wait for a group of commits.
    MILLRACE_ASSIGN(auto superseded, attempts_.take_over(full));
    const std::string name = new_name();
    auto file = disk().create({Area::kStaging, name});
    if (!file && file.error() == ENOSPC && parts_->make_room(0)) file = disk().create({Area::kStaging, name});
    if (!file) return fail(disk_error(file.error(), "begin the new version of", request.path));
    const auto stat = disk().stat_file(*file);
    if (!stat) return fail(disk_error(stat.error(), "stat the new version of", request.path));
    parts_->files.put(id_of(*stat), std::move(*file));
    return std::make_unique<StagedDraft>(
        parts_, std::move(full), name, id_of(*stat), [this](ReadyDraft draft) { queue_->add(std::move(draft)); },
        std::move(superseded), std::move(share), principal.scope.read ? Sender::kReads : Sender::kBlind);
  }

  Result<Version> set_attributes(const Principal& principal, const std::string& path, const Digest& root,
                                 const Attributes& attributes) override {
    return path_changes_.set_attributes(asked(principal, path), root, attributes);
  }

  Result<Listing> list(const Principal& principal, const std::string& prefix, Recursive recursive,
                       const std::string& cursor, std::size_t limit) override {
    const std::string full = below(principal, prefix);
    if (!prefix.empty()) {
      const auto found = disk().stat({Area::kFiles, full});
      if (!found) return fail(Code::kNotFound, "There is no folder '" + printable(prefix) + "' on the server.");
      if (found->kind != FileKind::kFolder)
        return fail(Code::kConflict, "'" + printable(prefix) + "' is not a folder.");
    }
    const auto version_of = [this](const std::string& path, const FileStat& stat) -> Result<std::optional<Version>> {
      MILLRACE_ASSIGN(const auto row, parts_->catalogue->find(path));
      if (!row || !versions_.is_right(path, *row, stat)) return std::nullopt;
      return std::optional<Version>(row->version);
    };
    return list_in_order(disk(), Area::kFiles, principal.account, version_of, prefix, recursive, cursor, limit);
  }

  Status remove(const Principal& principal, const std::string& path, Recursive recursive,
                const Expected& expected) override {
    return path_changes_.remove(asked(principal, path), recursive, expected);
  }

  Status move(const Principal& principal, const std::string& from, const std::string& to, Force force) override {
    return path_changes_.move(asked(principal, from), asked(principal, to), force);
  }

  Result<TrashListing> list_trash(const Principal& principal, const std::string& path, const std::string& cursor,
                                  std::size_t limit) override {
    // What was replaced goes there with a checkpoint.
    if (cursor.empty()) MILLRACE_TRY(committer_.checkpoint());
    return parts_->trash->list(principal.account, path, cursor, limit);
  }

  Result<Version> restore(const Principal& principal, const std::string& path, std::int64_t trashed_ns,
                          const std::string& to, Force force) override {
    const std::lock_guard one_at_a_time(restoring_);
    MILLRACE_TRY(committer_.checkpoint());
    const std::string full_to = below(principal, to);
    MILLRACE_ASSIGN(const QuotaShare share, quota_share(principal, full_to, 0, &parts_->quota_refusals));
    return restore_from_trash(*parts_, versions_, {below(principal, path), trashed_ns}, full_to, force, new_name(),
                              share, [this](ReadyDraft draft) { queue_->add(std::move(draft)); });
  }

  Result<std::vector<Change>> changes(const Principal& principal, std::uint64_t since, std::size_t limit) override {
    MILLRACE_ASSIGN(auto found, parts_->catalogue->changes(principal.account, since, limit));
    for (Change& change : found) change.path = above(principal, change.path);
    return found;
  }

  Result<std::shared_ptr<const StoredFile>> find(const Principal& principal, const Digest& root) override {
    const std::lock_guard lock(parts_->mutex);
    MILLRACE_ASSIGN(const auto path, parts_->catalogue->find_root(root, principal.account));
    if (path) {
      MILLRACE_ASSIGN(const auto row, versions_.find(*path));
      if (row && row->version.token.root == root) return open_row(*path, *row);
    }
    return fail(Code::kNotFound, "No file with that content is stored.");
  }

  Result<Version> verify(const Principal& principal, const std::string& path) override {
    const std::string full = below(principal, path);
    std::shared_ptr<OpenVersion> version;
    Row row;
    {
      const std::lock_guard lock(parts_->mutex);
      MILLRACE_ASSIGN(const auto found, versions_.find(full));
      if (!found) return fail(Code::kNotFound, "There is no file '" + printable(path) + "' on the server.");
      row = *found;
      MILLRACE_ASSIGN(version, open_row(full, row));
    }
    // The version's own file, whatever is committed to the path meanwhile.
    MILLRACE_ASSIGN(const auto file, version->file());
    const auto hasher = parts_->hasher();
    MILLRACE_ASSIGN(const Indexed indexed, index_file(disk(), *file, path, *hasher));
    if (indexed.root == row.version.token.root) return row.version;
    if (indexed.stat.bytes != row.stat.bytes || indexed.stat.mtime_ns != row.stat.mtime_ns)
      return fail(Code::kSourceChanged,
                  "'" + printable(path) + "' was changed by another program while it was read; try again.");
    const std::uint64_t offset = first_difference(row.version.token.root, indexed.chunks);
    return fail(Code::kIntegrity, "'" + printable(path) + "' is damaged on the server, first near byte " +
                                      std::to_string(offset) + "; upload it again with --whole-file.");
  }

  Status flush() override { return committer_.checkpoint(); }

  std::uint64_t signature_seed(const Principal& principal) override {
    const std::int64_t day = now() / (std::int64_t{24} * 3600 * 1'000'000'000);
    Buffer text;
    append_le(text, parts_->catalogue->epoch());
    append_le(text, static_cast<std::uint64_t>(day));
    append(text, as_bytes(principal.account));
    return parts_->hasher()->hash(text).prefix();
  }

  std::shared_ptr<const StoredFile> upload_basis(const Principal& principal, const std::string& path,
                                                 std::uint64_t bytes,
                                                 std::shared_ptr<const StoredFile> stored) override {
    const std::string full = below(principal, path);
    // Nothing of others goes for what begin() will refuse.
    if (!quota_share(principal, full, bytes, nullptr)) return stored;
    return millrace::upload_basis(parts_, full, bytes, std::move(stored));
  }

  std::chrono::nanoseconds sweep_partials() override { return parts_->partials->sweep(); }

  std::chrono::nanoseconds sweep_chunk_lists() override { return list_sweep_.step(); }

  void sweep_trash() override { parts_->trash->sweep(); }

  StoreFigures figures() override {
    StoreFigures out;
    const PartialUploads::Figures partials = parts_->partials->figures();
    out.stored = parts_->catalogue->total_usage();
    out.trash_bytes = parts_->trash->held_bytes();
    out.partial_uploads = partials.count;
    out.partial_bytes = partials.bytes;
    out.free_bytes = disk().free_bytes().value_or(0);
    out.total_bytes = disk().total_bytes().value_or(0);
    out.file_flushes = disk().times().file_flushes.read();
    out.folder_flushes = disk().times().folder_flushes.read();
    out.transactions = parts_->catalogue->transaction_times();
    out.queries = parts_->catalogue->query_times();
    out.refused_bytes = parts_->quota_refusals.bytes.value();
    out.refused_files = parts_->quota_refusals.files.value();
    out.refused_disk = parts_->quota_refusals.disk.value();
    out.checked_bytes = parts_->checked_bytes.value();
    if (const Status writable = parts_->catalogue->writable(); !writable) out.stopped = writable.error();
    return out;
  }

  Usage usage(const std::string& account) override { return parts_->catalogue->usage(account); }

  Result<std::vector<HistoryRow>> history() override { return parts_->catalogue->history(); }

  Status put_history(const HistoryRow& row, std::int64_t keep_after) override {
    return parts_->catalogue->transaction(disk(), [&] { return parts_->catalogue->put_history(row, keep_after); });
  }

  bool commit_next() override { return queue_->commit_next(); }

  Scrub scrub(const ScrubLimits& limits, std::function<void(const std::string&)> report) override {
    return Scrub({.disk = disk(),
                  .hasher = options_.scrub_hasher ? options_.scrub_hasher : parts_->hasher,
                  .paths = [this](const std::string& after,
                                  std::size_t limit) { return parts_->catalogue->paths(after, limit); },
                  .root_of = [this](const std::string& path, const FileStat& stat) -> Result<std::optional<Digest>> {
                    MILLRACE_ASSIGN(const auto row, parts_->catalogue->find(path));
                    if (!row || !versions_.is_right(path, *row, stat)) return std::nullopt;
                    return std::optional<Digest>(row->version.token.root);
                  },
                  .first_difference = [this](const Digest& root,
                                             const ChunkList& found) { return first_difference(root, found); },
                  .report = std::move(report)},
                 limits);
  }

  BackgroundScan scan(const ScanLimits& limits) override {
    return BackgroundScan(
        {.disk = disk(),
         .hasher = parts_->hasher,
         .now_ns = [this] { return now(); },
         .is_known = [this](const std::string& path, const FileStat& stat) -> Result<bool> {
           MILLRACE_ASSIGN(const auto row, parts_->catalogue->find(path));
           return row && versions_.is_right(path, *row, stat);
         },
         .refresh = [this](const std::string& path, const IndexedBefore* file) { return refresh(path, file); },
         .paths = [this](const std::string& after,
                         std::size_t limit) { return parts_->catalogue->paths(after, limit); }},
        limits);
  }

 private:
  Disk& disk() { return parts_->disk(); }
  void report(const std::string& sentence) {
    if (options_.report) options_.report(sentence);
  }
  std::int64_t now() const { return options_.wall_clock_ns(); }
  static std::string below(const Principal& principal, const std::string& path) {
    if (principal.account.empty()) return path;
    return path.empty() ? principal.account : principal.account + "/" + path;
  }
  static AskedPath asked(const Principal& principal, const std::string& path) { return {below(principal, path), path}; }
  static std::string above(const Principal& principal, const std::string& path) {
    return principal.account.empty() ? path : path.substr(principal.account.size() + 1);
  }

  /// What a draft for that path counts against. Errors: kQuota when what is announced cannot fit, which `refusals`
  /// counts where it is not null.
  Result<QuotaShare> quota_share(const Principal& principal, const std::string& full, std::uint64_t bytes,
                                 QuotaRefusals* refusals) {
    QuotaShare share{principal.account, principal.quota};
    share.refusals = refusals;
    if (share.quota == Quota{}) return share;
    MILLRACE_ASSIGN(const auto row, parts_->catalogue->find(full));
    if (row) share.replaced_bytes = row->version.bytes;
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    const auto more =
        static_cast<std::int64_t>(std::min(bytes, kMost)) - static_cast<std::int64_t>(share.replaced_bytes);
    MILLRACE_TRY(fits_quota(share, parts_->catalogue->usage(share.account), more, row ? 0 : 1, full));
    return share;
  }

  /// Where, in bytes, `found` is no longer what the root's chunks say; 0 where those are not known.
  std::uint64_t first_difference(const Digest& root, const ChunkList& found) {
    std::uint64_t offset = 0;
    if (const auto chunks = parts_->chunks(root); chunks && *chunks) {
      const std::size_t count = std::min((*chunks)->size(), found.size());
      for (std::size_t i = 0; i < count && (**chunks)[i].digest == found[i].digest; ++i) offset += found[i].length;
    }
    return offset;
  }

  /// For staging.
  std::string new_name() {
    const std::lock_guard lock(naming_);
    return staging_.path_for(hex(options_.random()) + hex(options_.random()));
  }

  Result<std::shared_ptr<OpenVersion>> open_row(const std::string& path, const Row& row) {
    auto version = std::make_shared<OpenVersion>(parts_, path, row);
    MILLRACE_TRY(version->file());
    return version;
  }

  Status refresh(const std::string& path, const IndexedBefore* file) {
    const std::lock_guard lock(parts_->mutex);
    MILLRACE_TRY(versions_.refresh(path, file));
    return {};
  }

  std::shared_ptr<StoreParts> parts_;
  StoreOptions options_;
  CurrentVersions versions_;
  Committer committer_;
  PathChanges path_changes_;
  std::optional<CommitQueue> queue_;
  ChunkListSweep list_sweep_{*parts_};
  StagingNames staging_;
  UploadAttempts attempts_;
  std::mutex naming_;     ///< guards the options' `random`
  std::mutex restoring_;  ///< held by a restore
};

/// A damaged catalogue is kept for whoever wants to look at it, and made again from the files. What was acknowledged is
/// in files/ already.
Status set_aside(Disk& disk, const std::string& catalogue_path, const StoreOptions& options) {
  const std::string name(last_part(catalogue_path));
  const std::string kept = name + ".damaged-" + hex(options.random());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const auto moved = disk.rename_noreplace({Area::kData, name + suffix}, {Area::kData, kept + suffix});
    if (!moved && moved.error() != ENOENT)
      return fail(disk_error(moved.error(), "set aside the damaged catalogue", name));
  }
  if (options.report) {
    options.report("The catalogue is damaged. It was set aside as '" + kept +
                   "' and is made again from the files: deletes and sequences of before are forgotten.");
  }
  return {};
}

std::int64_t system_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// The kernel's name of this run of the machine.
Result<std::uint64_t> read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  if (!(file >> text)) return fail(Code::kFailed, "Could not read /proc/sys/kernel/random/boot_id; is /proc mounted?");
  std::erase(text, '-');
  return std::strtoull(text.substr(0, 16).c_str(), nullptr, 16);
}

}  // namespace

Result<std::unique_ptr<LocalStore>> open_directory_store(DataFolder folder, const std::string& catalogue_path,
                                                         StoreOptions options) {
  auto parts = std::make_shared<StoreParts>();
  parts->folder = std::move(folder);
  parts->durability = options.durability;
  parts->hasher = options.hasher;
  if (!options.wall_clock_ns) options.wall_clock_ns = system_clock_ns;
  parts->now_ns = options.wall_clock_ns;
  parts->report = options.report;
  parts->partials =
      std::make_unique<PartialUploads>(parts->disk(), parts->files, options.wall_clock_ns, options.partials);
  parts->trash = std::make_unique<Trash>(parts->disk(), options.wall_clock_ns, options.trash);
  auto opened = Catalogue::open(catalogue_path, options.random());
  if (!opened && opened.error().code == Code::kIntegrity) {
    MILLRACE_TRY(set_aside(parts->disk(), catalogue_path, options));
    opened = Catalogue::open(catalogue_path, options.random());
  }
  if (!opened) return fail(std::move(opened).error());
  parts->catalogue = std::move(*opened);
  if (options.report) parts->catalogue->on_stop(options.report);
  MILLRACE_ASSIGN(const std::uint64_t boot, options.boot ? Result<std::uint64_t>(*options.boot) : read_boot_id());
  auto store = std::make_unique<DirectoryStore>(std::move(parts), std::move(options));
  MILLRACE_TRY(store->start(boot));
  return store;
}

Result<std::unique_ptr<LocalStore>> open_directory_store(const std::filesystem::path& data_dir, StoreOptions options) {
  MILLRACE_ASSIGN(DataFolder folder, open_data_folder(data_dir));
  return open_directory_store(std::move(folder), data_dir / "catalogue.sqlite", std::move(options));
}

}  // namespace millrace
