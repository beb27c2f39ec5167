#include "store/operations.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/path.h"
#include "store/same_file.h"

namespace millrace {

Result<bool> has_inode(Disk& disk, const Place& place, std::uint64_t inode) {
  const auto stat = disk.stat(place);
  if (stat) return stat->inode == inode;
  if (is_missing(stat.error())) return false;
  return fail(disk_error(stat.error(), "stat", place.path));
}

namespace {

/// With a sentence for the client where the file system refuses.
Error could_not(int errno_value, std::string_view what, std::string_view path) {
  Error error = disk_error(errno_value, what, path);
  if (!is_refused(errno_value) || error.code == Code::kQuota) return error;
  error.code = Code::kNotAllowed;
  error.sentence += errno_value == EXDEV
                        ? ". It lies on another file system or mount than the server's other files; move that out of "
                          "the server's folder 'files'."
                        : ". The server may not change that folder or file; its operator has to give the server's "
                          "user the right to, or take a protection away.";
  return error;
}

constexpr int kRetries = 100;  ///< where descriptors ran out
constexpr std::chrono::milliseconds kRetryPause{20};

Status flush_name(StoreParts& parts, const std::string& path) {
  if (parts.durability == Durability::kNone) return {};
  Status flushed = parts.durable_names.flush(parts.disk(), {std::string(parent_path(path))});
  // The name has changed already: that cannot be taken back.
  if (!flushed && was_refused(flushed.error())) return fail(Code::kFailed, flushed.error().sentence);
  return flushed;
}

}  // namespace

bool was_refused(const Error& error) {
  return error.code == Code::kNotAllowed || error.code == Code::kQuota;
}

Status may_write(StoreParts& parts, const std::string& path) {
  const auto may = parts.disk().may_change({Area::kFiles, std::string(parent_path(path))});
  if (may || !is_refused(may.error())) return {};  // what else there is shows when it is done
  return fail(could_not(may.error(), "write to", path));
}

Result<std::string> keep_aside(StoreParts& parts, const std::string& staged, const std::string& path) {
  Disk& disk = parts.disk();
  const auto flush = [&](Area area, std::string folder) -> Status {
    for (;; folder = parent_path(folder)) {
      const auto flushed = disk.fsync_folder({area, folder});
      if (!flushed) return fail(Code::kFailed, disk_error(flushed.error(), "flush the folder of", path).sentence);
      if (folder.empty()) return {};
    }
  };
  if (parts.trash->keeps()) {
    if (const auto kept = parts.trash->keep({Area::kStaging, staged}, path)) {
      MILLRACE_TRY(flush(Area::kTrash, std::string(parent_path(*kept))));
      return "trash/" + *kept;
    }
  }
  const std::string name = staged + std::string(kKeptAside);
  const auto renamed = disk.rename_noreplace({Area::kStaging, staged}, {Area::kStaging, name});
  if (!renamed) return fail(Code::kFailed, disk_error(renamed.error(), "keep", path).sentence);
  MILLRACE_TRY(flush(Area::kStaging, std::string(parent_path(name))));
  return "staging/" + name;
}

Status make_parents(StoreParts& parts, const std::string& path) {
  Disk& disk = parts.disk();
  const std::string parent(parent_path(path));
  if (const auto stat = disk.stat({Area::kFiles, parent}); stat && stat->kind == FileKind::kFolder) return {};
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    const auto stat = disk.stat({Area::kFiles, folder});
    if (stat && stat->kind == FileKind::kFolder) continue;
    if (stat)
      return fail(Code::kConflict,
                  "'" + printable(folder) + "' is a file; a folder is needed there for '" + printable(path) + "'.");
    const auto made = disk.make_folder({Area::kFiles, folder});
    if (!made && is_missing(made.error()))
      return fail(Code::kConflict, "The folders on the way to '" + printable(path) +
                                       "' are being changed by another program on the server; try again.");
    if (!made && made.error() != EEXIST) return fail(could_not(made.error(), "make the folder", folder));
    parts.durable_names.forget(folder);
  }
  return {};
}

namespace {

bool is_replaced_version(const Pending& pending, const FileStat& stat) {
  // Not ctime: the exchange itself changes it.
  const auto is = [&stat](const Replaced& replaced) {
    return stat.inode == replaced.inode && stat.bytes == replaced.bytes && stat.mtime_ns == replaced.mtime_ns;
  };
  return is(pending.replaced) || std::any_of(pending.before.begin(), pending.before.end(), is) ||
         std::find(pending.superseded.begin(), pending.superseded.end(), stat.inode) != pending.superseded.end();
}

/// Gives what came out of an exchange its place back if it is not what was to be replaced.
Result<Outcome> check_replaced(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  const Place staged{Area::kStaging, pending.other};
  auto came_out = disk.stat(staged);
  if (!came_out && came_out.error() == ENOENT && pending.replaced.inode != 0) {
    // An exchange in steps may have been interrupted before its last one.
    const auto ended = disk.rename_noreplace({Area::kStaging, pending.other + kExchanged}, staged);
    if (!ended && !is_missing(ended.error())) return fail(disk_error(ended.error(), "exchange", pending.path));
    if (ended) came_out = disk.stat(staged);
  }
  if (!came_out && came_out.error() == ENOENT) return Outcome::kDone;
  if (!came_out) return fail(disk_error(came_out.error(), "stat", pending.other));
  if (is_replaced_version(pending, *came_out)) return Outcome::kDone;
  const auto back = disk.exchange(staged, {Area::kFiles, pending.path});
  if (back) return Outcome::kForeign;
  if (!is_missing(back.error()) && !is_refused(back.error()))
    return fail(disk_error(back.error(), "give back its place to", pending.path));
  // Its place went with a folder that another program moved or took the rights from: it is kept elsewhere.
  MILLRACE_TRY(keep_aside(parts, pending.other, pending.path));
  return Outcome::kForeign;
}

/// New: rename. Replacement: exchange, then a look at what came out.
Result<Outcome> rename_or_exchange(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  const Place place{Area::kFiles, pending.path};
  const Place staged{Area::kStaging, pending.other};
  auto moved = disk.rename_noreplace(staged, place);
  if (moved) return Outcome::kDone;
  if (moved.error() == EEXIST) {
    if (pending.replaced.inode == 0) return Outcome::kForeign;
    moved = disk.exchange(staged, place);
  }
  if (!moved && is_missing(moved.error())) return Outcome::kForeign;
  if (!moved) return fail(could_not(moved.error(), "put in its place", pending.path));
  return check_replaced(parts, pending);
}

Result<Outcome> put_in_place(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  MILLRACE_ASSIGN(const bool is_placed, has_inode(disk, {Area::kFiles, pending.path}, pending.inode));
  if (is_placed) return check_replaced(parts, pending);
  MILLRACE_ASSIGN(const bool is_staged, has_inode(disk, {Area::kStaging, pending.other}, pending.inode));
  if (!is_staged) return Outcome::kGone;
  if (auto made = make_parents(parts, pending.path); !made) {
    if (made.error().code == Code::kConflict) return Outcome::kForeign;
    return fail(std::move(made).error());
  }
  return rename_or_exchange(parts, pending);
}

Result<Outcome> move_to_place(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  const Place from{Area::kFiles, pending.path};
  const Place to{Area::kFiles, pending.other};
  MILLRACE_ASSIGN(const bool is_moved, has_inode(disk, to, pending.inode));
  if (is_moved) return Outcome::kDone;
  MILLRACE_ASSIGN(const bool is_there, has_inode(disk, from, pending.inode));
  if (!is_there) return Outcome::kGone;
  if (auto made = make_parents(parts, pending.other); !made) {
    if (made.error().code == Code::kConflict) return Outcome::kForeign;
    return fail(std::move(made).error());
  }
  const auto moved = disk.rename_noreplace(from, to);
  if (!moved && (moved.error() == EEXIST || is_missing(moved.error()))) return Outcome::kForeign;
  if (!moved) return fail(could_not(moved.error(), "move", pending.path));
  parts.durable_names.forget(pending.other);
  return Outcome::kDone;
}

Result<Outcome> give_attributes(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  MILLRACE_ASSIGN(const auto row, parts.catalogue->find(pending.path));
  if (!row) return Outcome::kGone;
  const auto file = disk.open({Area::kFiles, pending.path}, Access::kReadWrite);
  if (!file && is_no_file(file.error())) return Outcome::kGone;
  if (!file) return fail(could_not(file.error(), "open", pending.path));
  const auto stat = disk.stat_file(*file);
  if (!stat) return fail(disk_error(stat.error(), "stat", pending.path));
  const Attributes& attributes = row->version.attributes;
  // It may have been interrupted between mode and time, or before the row was settled.
  const bool ours = stat->inode == pending.inode && stat->bytes == row->stat.bytes &&
                    (stat->mtime_ns == row->stat.mtime_ns || stat->mtime_ns == attributes.mtime_ns);
  if (!ours) return Outcome::kForeign;
  const auto set = disk.set_attributes(*file, disk_mode(attributes), attributes.mtime_ns);
  if (!set) return fail(could_not(set.error(), "set mode and time of", pending.path));
  if (parts.durability == Durability::kFull) {
    const auto flushed = disk.fsync(*file);
    if (!flushed) return fail(disk_error(flushed.error(), "flush mode and time of", pending.path));
  }
  return Outcome::kDone;
}

}  // namespace

namespace {

Result<Outcome> try_once(StoreParts& parts, const Pending& pending, Flush flush) {
  Disk& disk = parts.disk();
  Outcome outcome = Outcome::kDone;
  switch (pending.kind) {
    case Pending::Kind::kAttributes:
      return give_attributes(parts, pending);
    case Pending::Kind::kPut:
      return put_in_place(parts, pending);
    case Pending::Kind::kRemove: {
      const Place place{Area::kFiles, pending.path};
      MILLRACE_ASSIGN(const bool is_there, has_inode(disk, place, pending.inode));
      if (!is_there) break;
      const auto removed = parts.trash->take(place, pending.path);
      if (!removed && !is_missing(removed.error())) return fail(could_not(removed.error(), "remove", pending.path));
      break;
    }
    case Pending::Kind::kMove: {
      MILLRACE_ASSIGN(outcome, move_to_place(parts, pending));
      MILLRACE_TRY(flush_name(parts, pending.other));
      break;
    }
  }
  if (flush == Flush::kAtOnce) MILLRACE_TRY(flush_name(parts, pending.path));
  return outcome;
}

}  // namespace

Result<Outcome> materialise(StoreParts& parts, const Pending& pending, Flush flush) {
  auto outcome = try_once(parts, pending, flush);
  for (int again = 0; !outcome && outcome.error().code == Code::kBusy && again < kRetries; ++again) {
    std::this_thread::sleep_for(kRetryPause);
    outcome = try_once(parts, pending, flush);
  }
  return outcome;
}

Result<Outcome> put_at_once(StoreParts& parts, const Pending& pending) {
  if (auto outcome = rename_or_exchange(parts, pending); outcome && *outcome == Outcome::kDone) return outcome;
  // Whatever has changed since its draft was admitted: the long way finds out.
  return materialise(parts, pending);
}

namespace {

/// The operation itself has changed ctime. Whatever else differs is another program's doing: the row keeps the stat
/// data of before, and the next look finds out.
bool is_ours(const Pending& pending, const Row& row, const FileStat& stat) {
  FileStat expected = row.stat;
  if (pending.kind == Pending::Kind::kAttributes) expected.mtime_ns = row.version.attributes.mtime_ns;
  return same_but_ctime(expected, stat);
}

}  // namespace

Status settle(StoreParts& parts, const Pending& pending, Outcome outcome) {
  Catalogue& catalogue = *parts.catalogue;
  const bool is_move = pending.kind == Pending::Kind::kMove;
  std::vector<std::pair<std::string, Row>> rows;
  // What lies in a moved folder has not changed, its ctime included.
  if (is_move && outcome != Outcome::kDone) {
    MILLRACE_ASSIGN(rows, catalogue.below(pending.other));
  }
  if (pending.kind != Pending::Kind::kRemove) {
    const std::string& path = is_move ? pending.other : pending.path;
    MILLRACE_ASSIGN(const auto row, catalogue.find(path));
    if (row) rows.emplace_back(path, *row);
  }
  return catalogue.transaction(parts.disk(), [&]() -> Status {
    for (auto& [path, row] : rows) {
      const auto stat = parts.disk().stat({Area::kFiles, path});
      if (!stat && !is_missing(stat.error()) && !is_refused(stat.error()))
        return fail(disk_error(stat.error(), "stat", path));
      const bool keeps_old = outcome == Outcome::kRefused && pending.kind == Pending::Kind::kAttributes;
      if (keeps_old && stat && same_content(row.stat, *stat)) {
        MILLRACE_ASSIGN(row.version.token.sequence, catalogue.next_sequence());
        row.version.attributes = {stat->mtime_ns, stat->mode};
        MILLRACE_TRY(catalogue.put(path, row));
      } else if (outcome != Outcome::kDone || !stat) {
        MILLRACE_ASSIGN(const std::uint64_t sequence, catalogue.next_sequence());
        MILLRACE_TRY(catalogue.erase(path, sequence));
      } else if (is_ours(pending, row, *stat)) {
        row.stat = *stat;
        if (!is_move) row.indexed_ns = 0;
        MILLRACE_TRY(catalogue.put(path, row));
      }
    }
    return catalogue.remove_pending(pending.id);
  });
}

}  // namespace millrace
