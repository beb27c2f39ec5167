#include "store/restore.h"

#include <future>

#include "base/path.h"
#include "store/indexer.h"

namespace millrace {

namespace {

Result<ReadyDraft> make_ready(StoreParts& parts, const std::string& to, const std::string& staged) {
  Disk& disk = parts.disk();
  const auto file = disk.open({Area::kStaging, staged}, Access::kReadWrite);
  if (!file) return fail(disk_error(file.error(), "open the kept version of", to));
  const auto hasher = parts.hasher();
  MILLRACE_ASSIGN(const Indexed indexed, index_file(disk, *file, to, *hasher));
  ReadyDraft draft;
  MILLRACE_TRY(hold_content(parts, *file, indexed.stat.bytes, to, draft));
  draft.chunk_row = parts.chunk_row(indexed.root, indexed.chunks);
  draft.path = to;
  draft.staged = staged;
  draft.stat = indexed.stat;
  draft.root = indexed.root;
  draft.attributes = {indexed.stat.mtime_ns, indexed.stat.mode};
  draft.superseded = std::make_shared<std::atomic<bool>>(false);
  return draft;
}

/// A crash may have left the file that was restored in the trash, too. Nothing where it is not that one at `to`.
Result<std::optional<Version>> restored_before(StoreParts& parts, CurrentVersions& versions, const Place& kept,
                                               const std::string& to) {
  const std::lock_guard lock(parts.mutex);
  const auto in_trash = parts.disk().stat(kept);
  const auto in_place = parts.disk().stat({Area::kFiles, to});
  if (!in_trash || !in_place || id_of(*in_trash) != id_of(*in_place)) return std::nullopt;
  (void)parts.disk().unlink(kept);
  MILLRACE_ASSIGN(const auto row, versions.find(to));
  if (!row) return std::nullopt;
  return std::optional<Version>(row->version);
}

}  // namespace

Result<Version> restore_from_trash(StoreParts& parts, CurrentVersions& versions, const TrashedName& wanted,
                                   const std::string& to, Force force, const std::string& staged,
                                   const QuotaShare& share, const std::function<void(ReadyDraft)>& ready) {
  Disk& disk = parts.disk();
  MILLRACE_ASSIGN(const TrashedName name, parts.trash->find(wanted.path, wanted.trashed_ns));
  const Place kept{Area::kTrash, trashed_path(name)};
  MILLRACE_ASSIGN(const auto before, restored_before(parts, versions, kept, to));
  if (before) return *before;
  if (force == Force::kNo && disk.stat({Area::kFiles, to}))
    return fail(Code::kConflict, "There is a '" + printable(std::string(last_part(to))) +
                                     "' again; use --force to replace it, or restore to another path.");
  const auto linked = disk.link(kept, {Area::kStaging, staged});
  if (!linked) return fail(disk_error(linked.error(), "bring back", wanted.path));
  auto draft = make_ready(parts, to, staged);
  if (!draft) {
    (void)disk.unlink({Area::kStaging, staged});
    return fail(std::move(draft).error());
  }
  draft->expected.kind = force == Force::kYes ? Expected::Kind::kAny : Expected::Kind::kNone;
  draft->share = share;
  const std::uint64_t inode = draft->stat.inode;
  std::promise<Result<Version>> committed;
  draft->done = [&committed](Result<Version> version) { committed.set_value(std::move(version)); };
  ready(std::move(*draft));
  Result<Version> version = committed.get_future().get();
  if (!version) return version;
  const std::lock_guard lock(parts.mutex);
  (void)disk.unlink(kept);  // what fails here is swept with the rest of the trash
  // Losing its other name changed its ctime, which is nobody else's doing.
  if (const auto stat = disk.stat({Area::kFiles, to}); stat && stat->inode == inode) parts.unsettled.restat(to, *stat);
  return version;
}

}  // namespace millrace
