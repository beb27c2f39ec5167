#include "store/recovery.h"

#include <cerrno>
#include <map>
#include <set>

#include "base/path.h"

namespace millrace {

namespace {

bool has_inode(Disk& disk, const Place& place, std::uint64_t inode) {
  const auto stat = disk.stat(place);
  return stat && stat->inode == inode;
}

constexpr std::size_t kMostDurableFolders = 100'000;

/// A name is durable when its folder is flushed, and the folder's own name, up to one that is known to be.
Status flush_parent(StoreParts& parts, const std::string& path) {
  if (parts.durability == Durability::kNone) return {};
  std::set<std::string> folders{std::string(parent_path(path))};
  std::map<std::string, std::uint64_t> flushed_names;
  for (std::string folder(parent_path(path)); !folder.empty(); folder = parent_path(folder)) {
    const auto stat = parts.disk().stat({Area::kFiles, folder});
    if (!stat && stat.error() == ENOENT) continue;
    if (!stat) return fail(disk_error(stat.error(), "stat the folder of", path));
    const auto known = parts.durable_folders.find(folder);
    if (known != parts.durable_folders.end() && known->second == stat->inode) continue;
    folders.emplace(parent_path(folder));
    flushed_names[folder] = stat->inode;
  }
  for (const std::string& folder : folders) {
    const auto flushed = parts.disk().fsync_folder({Area::kFiles, folder});
    if (!flushed && flushed.error() != ENOENT) return fail(disk_error(flushed.error(), "flush the folder of", path));
  }
  if (parts.durable_folders.size() > kMostDurableFolders) parts.durable_folders.clear();
  for (const auto& [folder, inode] : flushed_names) parts.durable_folders[folder] = inode;
  return {};
}

}  // namespace

Status make_parents(Disk& disk, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    const auto stat = disk.stat({Area::kFiles, folder});
    if (stat && stat->kind == FileKind::kFolder) continue;
    if (stat)
      return fail(Code::kConflict,
                  "'" + printable(folder) + "' is a file; a folder is needed there for '" + printable(path) + "'.");
    const auto made = disk.make_folder({Area::kFiles, folder});
    if (!made && made.error() != EEXIST) return fail(disk_error(made.error(), "make the folder", folder));
  }
  return {};
}

namespace {

bool is_replaced_version(const Pending& pending, const FileStat& stat) {
  // Not ctime: the exchange itself changes it.
  return stat.inode == pending.old_inode && stat.bytes == pending.old_bytes && stat.mtime_ns == pending.old_mtime_ns;
}

/// New: rename. Replacement: exchange, then a look at what came out.
Result<Outcome> put_in_place(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  const Place place{Area::kFiles, pending.path};
  const Place staged{Area::kStaging, pending.other};
  if (!has_inode(disk, place, pending.inode)) {
    if (!has_inode(disk, staged, pending.inode)) return Outcome::kGone;
    if (auto made = make_parents(disk, pending.path); !made) {
      if (made.error().code == Code::kConflict) return Outcome::kForeign;
      return fail(std::move(made).error());
    }
    auto moved = disk.rename_noreplace(staged, place);
    if (!moved && moved.error() == EEXIST) {
      if (pending.old_inode == 0) return Outcome::kForeign;
      moved = disk.exchange(staged, place);
    }
    if (!moved) return fail(disk_error(moved.error(), "put in its place", pending.path));
  }
  const auto came_out = disk.stat(staged);
  if (came_out && !is_replaced_version(pending, *came_out)) {
    if (const auto back = disk.exchange(staged, place); !back) {
      return fail(disk_error(back.error(), "give back its place to", pending.path));
    }
    return Outcome::kForeign;
  }
  if (!came_out && came_out.error() != ENOENT) return fail(disk_error(came_out.error(), "stat", pending.other));
  return Outcome::kDone;
}

Result<Outcome> move_to_place(Disk& disk, const Pending& pending) {
  const Place from{Area::kFiles, pending.path};
  const Place to{Area::kFiles, pending.other};
  if (has_inode(disk, to, pending.inode)) return Outcome::kDone;
  if (!has_inode(disk, from, pending.inode)) return Outcome::kGone;
  if (auto made = make_parents(disk, pending.other); !made) {
    if (made.error().code == Code::kConflict) return Outcome::kForeign;
    return fail(std::move(made).error());
  }
  const auto moved = disk.rename_noreplace(from, to);
  if (!moved && moved.error() == EEXIST) return Outcome::kForeign;
  if (!moved) return fail(disk_error(moved.error(), "move", pending.path));
  return Outcome::kDone;
}

Result<Outcome> give_attributes(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  MILLRACE_ASSIGN(const auto row, parts.catalogue->find(pending.path));
  if (!row) return Outcome::kGone;
  const auto file = disk.open({Area::kFiles, pending.path}, Access::kReadWrite);
  if (!file) return file.error() == EIO ? Result<Outcome>(fail(disk_error(EIO, "open", pending.path))) : Outcome::kGone;
  const auto stat = disk.stat_file(*file);
  if (!stat) return fail(disk_error(stat.error(), "stat", pending.path));
  const Attributes& attributes = row->version.attributes;
  // It may have been interrupted between mode and time, or before the row was settled.
  const bool ours = stat->inode == pending.inode && stat->bytes == row->stat.bytes &&
                    (stat->mtime_ns == row->stat.mtime_ns || stat->mtime_ns == attributes.mtime_ns);
  if (!ours) return Outcome::kForeign;
  const auto set = disk.set_attributes(*file, disk_mode(attributes), attributes.mtime_ns);
  if (!set) return fail(disk_error(set.error(), "set mode and time of", pending.path));
  if (parts.durability == Durability::kFull) {
    const auto flushed = disk.fsync(*file);
    if (!flushed) return fail(disk_error(flushed.error(), "flush mode and time of", pending.path));
  }
  return Outcome::kDone;
}

}  // namespace

Result<Outcome> materialise(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  Outcome outcome = Outcome::kDone;
  switch (pending.kind) {
    case Pending::Kind::kAttributes:
      return give_attributes(parts, pending);
    case Pending::Kind::kPut: {
      MILLRACE_ASSIGN(outcome, put_in_place(parts, pending));
      break;
    }
    case Pending::Kind::kRemove: {
      const Place place{Area::kFiles, pending.path};
      if (!has_inode(disk, place, pending.inode)) break;
      const auto removed = disk.unlink(place);
      if (!removed) return fail(disk_error(removed.error(), "remove", pending.path));
      break;
    }
    case Pending::Kind::kMove: {
      MILLRACE_ASSIGN(outcome, move_to_place(disk, pending));
      MILLRACE_TRY(flush_parent(parts, pending.other));
      break;
    }
  }
  MILLRACE_TRY(flush_parent(parts, pending.path));
  return outcome;
}

Status settle(StoreParts& parts, const Pending& pending, Outcome outcome) {
  Catalogue& catalogue = *parts.catalogue;
  std::vector<std::pair<std::string, Row>> rows;
  if (pending.kind == Pending::Kind::kMove) {
    MILLRACE_ASSIGN(rows, catalogue.below(pending.other));
  }
  if (pending.kind != Pending::Kind::kRemove) {
    const std::string& path = pending.kind == Pending::Kind::kMove ? pending.other : pending.path;
    MILLRACE_ASSIGN(const auto row, catalogue.find(path));
    if (row) rows.emplace_back(path, *row);
  }
  return catalogue.transaction(parts.disk(), [&]() -> Status {
    for (auto& [path, row] : rows) {
      const auto stat = parts.disk().stat({Area::kFiles, path});
      if (outcome == Outcome::kDone && stat) {
        row.stat = *stat;
        row.indexed_ns = 0;
        MILLRACE_TRY(catalogue.put(path, row));
      } else {
        MILLRACE_ASSIGN(const std::uint64_t sequence, catalogue.next_sequence());
        MILLRACE_TRY(catalogue.erase(path, sequence));
      }
    }
    return catalogue.remove_pending(pending.id);
  });
}

Status recover(StoreParts& parts, const std::function<void(const std::string&)>& report) {
  MILLRACE_ASSIGN(const auto operations, parts.catalogue->pending());
  for (const Pending& pending : operations) {
    MILLRACE_ASSIGN(const Outcome outcome, materialise(parts, pending));
    MILLRACE_TRY(settle(parts, pending, outcome));
    if (outcome == Outcome::kForeign && report) {
      const std::string& path = pending.kind == Pending::Kind::kMove ? pending.other : pending.path;
      report("'" + printable(path) +
             "' was changed by another program before a committed version was in its place; that file is kept.");
    }
  }
  const auto names = parts.disk().list({Area::kStaging, ""});
  if (!names) return fail(disk_error(names.error(), "list", "staging"));
  for (const std::string& name : parts.partials->load(*names)) {
    const auto removed = parts.disk().unlink({Area::kStaging, name});
    if (!removed) return fail(disk_error(removed.error(), "sweep from staging", name));
  }
  return {};
}

namespace {
constexpr const char* kBoot = "boot";
constexpr const char* kCleanEnd = "clean_end";
constexpr const char* kUnflushed = "unflushed";  ///< the run does not flush its files
}  // namespace

Status note_start(StoreParts& parts, std::uint64_t boot) {
  Catalogue& catalogue = *parts.catalogue;
  MILLRACE_ASSIGN(const std::uint64_t last_boot, catalogue.mark(kBoot, boot));
  MILLRACE_ASSIGN(const std::uint64_t clean, catalogue.mark(kCleanEnd, 1));
  MILLRACE_ASSIGN(const std::uint64_t unflushed, catalogue.mark(kUnflushed, 0));
  MILLRACE_TRY(catalogue.transaction(parts.disk(), [&]() -> Status {
    if (last_boot != boot && clean == 0 && unflushed != 0) MILLRACE_TRY(catalogue.distrust_files());
    MILLRACE_TRY(catalogue.set_mark(kBoot, boot));
    MILLRACE_TRY(catalogue.set_mark(kCleanEnd, 0));
    return catalogue.set_mark(kUnflushed, parts.durability == Durability::kNone ? 1 : 0);
  }));
  return catalogue.set_durability(parts.durability);
}

Status note_end(StoreParts& parts) {
  if (parts.durability == Durability::kNone) {
    const auto flushed = parts.disk().flush_all();
    if (!flushed) return fail(disk_error(flushed.error(), "flush", "the data folder"));
  }
  MILLRACE_TRY(parts.catalogue->set_durability(Durability::kFull));
  return parts.catalogue->transaction(parts.disk(), [&] { return parts.catalogue->set_mark(kCleanEnd, 1); });
}

}  // namespace millrace
