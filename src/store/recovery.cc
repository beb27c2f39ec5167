#include "store/recovery.h"

#include <cerrno>

#include "base/path.h"

namespace millrace {

namespace {

bool has_inode(Disk& disk, const Place& place, std::uint64_t inode) {
  const auto stat = disk.stat(place);
  return stat && stat->inode == inode;
}

Status flush_parent(StoreParts& parts, const std::string& path) {
  if (parts.durability == Durability::kNone) return {};
  // A new folder's own entry must be durable too, up to the root.
  for (std::string folder(parent_path(path));; folder = parent_path(folder)) {
    const auto flushed = parts.disk().fsync_folder({Area::kFiles, folder});
    if (!flushed && flushed.error() != ENOENT) return fail(disk_error(flushed.error(), "flush the folder of", path));
    if (folder.empty()) return {};
  }
}

}  // namespace

Status make_parents(Disk& disk, const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    const auto stat = disk.stat({Area::kFiles, folder});
    if (stat && stat->kind == FileKind::kFolder) continue;
    if (stat) return fail(Code::kConflict, "'" + printable(folder) + "' is a file; a folder is needed there for '" + printable(path) + "'.");
    const auto made = disk.make_folder({Area::kFiles, folder});
    if (!made && made.error() != EEXIST) return fail(disk_error(made.error(), "make the folder", folder));
  }
  return {};
}

Result<bool> materialise(StoreParts& parts, const Pending& pending) {
  Disk& disk = parts.disk();
  const Place place{Area::kFiles, pending.path};
  switch (pending.kind) {
    case Pending::Kind::kPut: {
      const Place staged{Area::kStaging, pending.other};
      if (!has_inode(disk, place, pending.inode)) {
        if (!has_inode(disk, staged, pending.inode)) return false;
        MILLRACE_TRY(make_parents(disk, pending.path));
        auto moved = disk.rename_noreplace(staged, place);
        if (!moved && moved.error() == EEXIST) moved = disk.exchange(staged, place);
        if (!moved) return fail(disk_error(moved.error(), "put in its place", pending.path));
      }
      break;
    }
    case Pending::Kind::kRemove:
      if (has_inode(disk, place, pending.inode)) {
        const auto removed = disk.unlink(place);
        if (!removed) return fail(disk_error(removed.error(), "remove", pending.path));
      }
      break;
    case Pending::Kind::kMove: {
      const Place to{Area::kFiles, pending.other};
      if (has_inode(disk, place, pending.inode) && !has_inode(disk, to, pending.inode)) {
        MILLRACE_TRY(make_parents(disk, pending.other));
        const auto moved = disk.rename_noreplace(place, to);
        if (!moved) return fail(disk_error(moved.error(), "move", pending.path));
      }
      MILLRACE_TRY(flush_parent(parts, pending.other));
      break;
    }
  }
  MILLRACE_TRY(flush_parent(parts, pending.path));
  return true;
}

Status settle(StoreParts& parts, const Pending& pending, bool present) {
  Catalogue& catalogue = *parts.catalogue;
  std::vector<std::pair<std::string, Row>> rows;
  if (pending.kind == Pending::Kind::kPut) {
    MILLRACE_ASSIGN(const auto row, catalogue.find(pending.path));
    if (row) rows.emplace_back(pending.path, *row);
  } else if (pending.kind == Pending::Kind::kMove) {
    MILLRACE_ASSIGN(rows, catalogue.below(pending.other));
    MILLRACE_ASSIGN(const auto row, catalogue.find(pending.other));
    if (row) rows.emplace_back(pending.other, *row);
  }
  return catalogue.transaction(parts.disk(), [&]() -> Status {
    for (auto& [path, row] : rows) {
      const auto stat = parts.disk().stat({Area::kFiles, path});
      if (present && stat) {
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

Status recover(StoreParts& parts) {
  MILLRACE_ASSIGN(const auto operations, parts.catalogue->pending());
  for (const Pending& pending : operations) {
    MILLRACE_ASSIGN(const bool present, materialise(parts, pending));
    MILLRACE_TRY(settle(parts, pending, present));
  }
  const auto names = parts.disk().list({Area::kStaging, ""});
  if (!names) return fail(disk_error(names.error(), "list", "staging"));
  for (const std::string& name : *names) {
    const auto removed = parts.disk().unlink({Area::kStaging, name});
    if (!removed) return fail(disk_error(removed.error(), "sweep from staging", name));
  }
  return {};
}

}  // namespace millrace
