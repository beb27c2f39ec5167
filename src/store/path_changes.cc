#include "store/path_changes.h"

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "store/relocation.h"
#include "store/removal.h"

namespace millrace {

namespace {
constexpr std::size_t kMostTogether = 256;  ///< files that are removed in one transaction
constexpr int kMostLooks = 3;               ///< at a folder that is filled while it is removed
constexpr int kMostCheckpoints = 100;       ///< that one operation waits for
}  // namespace

Result<Version> PathChanges::set_attributes(const AskedPath& path, const Digest& root, const Attributes& attributes) {
  std::unique_lock lock(parts_.mutex);
  MILLRACE_ASSIGN(auto row, versions_.find(path.full));
  const auto is_same = [&] { return row && row->version.token.root == root; };
  if (is_same() && row->version.attributes == attributes) return row->version;
  if (is_same() && parts_.unsettled.touches(path.full)) {
    lock.unlock();
    MILLRACE_ASSIGN(lock, lock_settled({path.full}));
    MILLRACE_ASSIGN(row, versions_.find(path.full));
  }
  if (!is_same()) return fail(Code::kConflict, "'" + printable(path.shown) + "' changed on the server; try again.");
  MILLRACE_TRY(parts_.catalogue->writable());
  row->version.attributes = attributes;
  Pending pending;
  pending.kind = Pending::Kind::kAttributes;
  pending.path = path.full;
  pending.inode = row->stat.inode;
  MILLRACE_TRY(parts_.catalogue->transaction(disk(), [&]() -> Status {
    MILLRACE_ASSIGN(row->version.token.sequence, parts_.catalogue->next_sequence());
    MILLRACE_TRY(parts_.catalogue->put(path.full, *row));
    MILLRACE_ASSIGN(pending.id, parts_.catalogue->add_pending(pending));
    return {};
  }));
  MILLRACE_TRY(finish(pending));
  return row->version;
}

Status PathChanges::remove(const AskedPath& path, Recursive recursive, const Expected& expected) {
  MILLRACE_ASSIGN(auto lock, lock_settled({path.full}));
  if (recursive == Recursive::kYes) {
    MILLRACE_TRY(parts_.catalogue->writable());
    const auto stat = disk().stat({Area::kFiles, path.full});
    if (stat && stat->kind == FileKind::kFolder) return remove_tree(lock, path.full, path);
  }
  return remove_one(path, expected);
}

Status PathChanges::move(const AskedPath& from, const AskedPath& to, Force force) {
  MILLRACE_ASSIGN(const auto lock, lock_settled({from.full, to.full}));
  MILLRACE_TRY(parts_.catalogue->writable());
  const auto source = disk().stat({Area::kFiles, from.full});
  if (!source) return fail(Code::kNotFound, "There is no '" + printable(from.shown) + "' on the server.");
  if (from.full == to.full) return {};
  if (to.full.starts_with(from.full + "/"))
    return fail(Code::kConflict, "'" + printable(to.shown) + "' lies inside of '" + printable(from.shown) + "'.");
  // The move gives the file another ctime: what others have changed before shows no more then.
  if (source->kind == FileKind::kRegular) MILLRACE_TRY(versions_.find(from.full));
  MILLRACE_TRY(may_write(parts_, from.full));
  MILLRACE_TRY(may_write(parts_, to.full));
  std::optional<Pending> replaced;
  if (const auto target = disk().stat({Area::kFiles, to.full})) {
    if (force == Force::kNo)
      return fail(Code::kConflict, "'" + printable(to.shown) + "' is there already; use --force to replace it.");
    if (target->kind == FileKind::kFolder) {
      MILLRACE_TRY(remove_one(to, Expected{}));
    } else {
      replaced = Pending{0, Pending::Kind::kRemove, to.full, "", target->inode};
    }
  }
  Pending moved{0, Pending::Kind::kMove, from.full, to.full, source->inode};
  MILLRACE_TRY(record_move(parts_, replaced, moved));
  if (replaced) {
    const Status gone = finish(*replaced);
    if (!gone && was_refused(gone.error())) MILLRACE_TRY(or_stop(take_back_move(parts_, moved)));
    MILLRACE_TRY(gone);
  }
  const Status done = finish(moved);
  if (!done && replaced && was_refused(done.error())) bring_back(*replaced);
  return done;
}

Result<std::unique_lock<std::mutex>> PathChanges::lock_settled(const std::vector<std::string>& paths) {
  for (int i = 0; i < kMostCheckpoints; ++i) {
    std::unique_lock lock(parts_.mutex);
    const auto waits = [this](const std::string& path) { return parts_.unsettled.touches(path); };
    if (std::none_of(paths.begin(), paths.end(), waits)) return lock;
    lock.unlock();
    MILLRACE_TRY(committer_.checkpoint());
  }
  return fail(Code::kBusy, "'" + printable(paths.front()) + "' is being written all the time; try again later.");
}

Status PathChanges::or_stop(Status status) {
  if (!status) parts_.catalogue->stop_writing(status.error());
  return status;
}

Status PathChanges::finish(const Pending& pending) {
  if (pending.kind != Pending::Kind::kAttributes) parts_.readers.keep(disk(), parts_.files, pending.path);
  auto outcome = materialise(parts_, pending);
  if (!outcome && was_refused(outcome.error())) {
    const bool is_move = pending.kind == Pending::Kind::kMove;
    MILLRACE_TRY(or_stop(is_move ? take_back_move(parts_, pending) : settle(parts_, pending, Outcome::kRefused)));
    return fail(std::move(outcome).error());
  }
  MILLRACE_TRY(or_stop(outcome ? settle(parts_, pending, *outcome) : Status(fail(outcome.error()))));
  if (*outcome == Outcome::kDone) return {};
  return fail(Code::kConflict,
              "'" + printable(pending.kind == Pending::Kind::kMove ? pending.other : pending.path) +
                  "' was changed on the server by another program meanwhile; that is kept; try again.");
}

void PathChanges::bring_back(const Pending& replaced) {
  const auto name = parts_.trash->find(replaced.path, 0);
  if (!name) return;
  const Place kept{Area::kTrash, trashed_path(*name)};
  const auto stat = disk().stat(kept);
  if (stat && stat->inode == replaced.inode) (void)disk().rename_noreplace(kept, {Area::kFiles, replaced.path});
}

Status PathChanges::remove_one(const AskedPath& path, const Expected& expected) {
  MILLRACE_TRY(parts_.catalogue->writable());
  const auto stat = disk().stat({Area::kFiles, path.full});
  if (!stat) return fail(Code::kNotFound, "There is no '" + printable(path.shown) + "' on the server.");
  if (stat->kind == FileKind::kFolder) {
    const auto removed = disk().remove_folder({Area::kFiles, path.full});
    if (!removed && removed.error() == ENOTEMPTY) {
      return fail(Code::kConflict, "The folder '" + printable(path.shown) +
                                       "' is not empty; use -r to delete it with all that is in it.");
    }
    if (!removed) return fail(disk_error(removed.error(), "remove the folder", path.shown));
    return {};
  }
  if (expected.kind == Expected::Kind::kAny) return remove_together(parts_, {{path.full, stat->inode}});
  MILLRACE_ASSIGN(const auto row, versions_.find(path.full));
  if (!row) return fail(Code::kNotFound, "There is no '" + printable(path.shown) + "' on the server.");
  if (expected.kind == Expected::Kind::kNone || row->version.token.root != expected.root) {
    return fail(Code::kConflict,
                "'" + printable(path.shown) + "' is not the version that was to be deleted; look at it again.");
  }
  return remove_together(parts_, {{path.full, row->stat.inode}});
}

Status PathChanges::remove_tree(std::unique_lock<std::mutex>& lock, const std::string& top, const AskedPath& path) {
  for (int look = 0; look < kMostLooks; ++look) {
    const auto names = disk().list({Area::kFiles, path.full});
    if (!names) return fail(disk_error(names.error(), "list", path.shown));
    std::vector<RemovedFile> files;
    std::vector<std::string> folders;
    for (const std::string& name : *names) {
      const std::string below = path.full + "/" + name;
      const auto stat = disk().stat({Area::kFiles, below});
      if (!stat) continue;
      if (stat->kind == FileKind::kFolder) {
        folders.push_back(name);  // later: what is in `files` must not grow old
        continue;
      }
      files.push_back({below, stat->inode});
      if (files.size() < kMostTogether) continue;
      MILLRACE_TRY(remove_together(parts_, files));
      files.clear();
      lock.unlock();
      MILLRACE_ASSIGN(lock, lock_settled({top}));
    }
    MILLRACE_TRY(remove_together(parts_, files));
    for (const std::string& name : folders)
      MILLRACE_TRY(remove_tree(lock, top, {path.full + "/" + name, path.shown + "/" + name}));
    const auto removed = disk().remove_folder({Area::kFiles, path.full});
    if (removed || removed.error() == ENOENT) return {};
    if (removed.error() != ENOTEMPTY) return fail(disk_error(removed.error(), "remove the folder", path.shown));
  }
  return fail(Code::kConflict, "'" + printable(path.shown) + "' is being filled while it is deleted; try again.");
}

}  // namespace millrace
