#include "store/current_versions.h"

#include <cerrno>
#include <cstdlib>

#include "base/path.h"
#include "store/indexer.h"
#include "store/same_file.h"

namespace millrace {

namespace {

constexpr std::int64_t kTooRecentNs = 20'000'000;  ///< a change within the clock's grain of the indexing would not show

/// Mode is left out: it is an attribute, and whatever changes it changes ctime.
/// A write in the same grain of the clock as the last change leaves ctime as it is, but not a modification time that
/// lies elsewhere.
bool would_show(const FileStat& stat) {
  return std::abs(stat.ctime_ns - stat.mtime_ns) > kTooRecentNs;
}

}  // namespace

Status CurrentVersions::refresh(const std::string& path, const IndexedBefore* file) {
  if (file != nullptr) {
    const auto stat = parts_.disk().stat({Area::kFiles, path});
    if (!stat || !same_content(*stat, file->indexed.stat)) return {};
  }
  MILLRACE_TRY(find(path, file));
  return {};
}

Result<std::optional<Row>> CurrentVersions::find(const std::string& path, const IndexedBefore* before) {
  Catalogue& catalogue = *parts_.catalogue;
  MILLRACE_ASSIGN(auto row, catalogue.find(path));
  const auto stat = parts_.disk().stat({Area::kFiles, path});
  const bool gone = !stat && (stat.error() == ENOENT || stat.error() == ENOTDIR);
  const bool hidden = stat ? stat->kind != FileKind::kRegular : stat.error() == ELOOP;
  if (row && (gone || hidden)) {
    MILLRACE_TRY(catalogue.transaction(parts_.disk(), [&]() -> Status {
      MILLRACE_ASSIGN(const std::uint64_t sequence, catalogue.next_sequence());
      MILLRACE_TRY(catalogue.remove_pending_puts(path));
      return catalogue.erase(path, sequence);
    }));
    parts_.unsettled.forget(path);
  }
  if (gone) return std::nullopt;
  if (!stat) return fail(disk_error(stat.error(), "stat", path));
  if (stat->kind != FileKind::kRegular) return fail(not_a_file(stat->kind, path));
  if (row && is_right(path, *row, *stat)) {
    row->stat = *stat;
    return row;
  }
  if (before != nullptr) return index(path, row, *before);
  MILLRACE_ASSIGN(const IndexedBefore now, read(path));
  return index(path, row, now);
}

bool CurrentVersions::is_right(const std::string& path, const Row& row, const FileStat& stat) const {
  if (const auto unsettled = parts_.unsettled.stat_of(path)) return same_content(*unsettled, stat);
  const bool settled = row.indexed_ns == 0 || row.indexed_ns - stat.ctime_ns > kTooRecentNs || would_show(stat);
  return settled && same_content(row.stat, stat);
}

Result<IndexedBefore> CurrentVersions::read(const std::string& path) {
  const auto file = parts_.disk().open({Area::kFiles, path}, Access::kRead);
  if (!file) return fail(disk_error(file.error(), "open", path));
  const auto hasher = parts_.hasher();
  const std::int64_t started = now_();
  MILLRACE_ASSIGN(Indexed indexed, index_file(parts_.disk(), *file, path, *hasher));
  return IndexedBefore{std::move(indexed), started};
}

/// The pending row that goes may be all that keeps a file, should only its attributes have been touched.
Status CurrentVersions::keep_unsettled(const std::string& path) {
  if (parts_.durability == Durability::kNone || !parts_.unsettled.touches(path)) return {};
  const auto file = parts_.disk().open({Area::kFiles, path}, Access::kRead);
  const auto flushed = file ? parts_.disk().fsync(*file) : DiskStatus(disk_fail(file.error()));
  if (!flushed) return fail(disk_error(flushed.error(), "flush", path));
  return parts_.durable_names.flush(parts_.disk(), {std::string(parent_path(path))});
}

Result<std::optional<Row>> CurrentVersions::index(const std::string& path, const std::optional<Row>& old,
                                                  const IndexedBefore& now) {
  Catalogue& catalogue = *parts_.catalogue;
  const Indexed& indexed = now.indexed;
  Row row;
  row.version.bytes = indexed.stat.bytes;
  row.version.token = {catalogue.epoch(), old ? old->version.token.sequence : 0, indexed.root};
  row.version.attributes = {indexed.stat.mtime_ns, indexed.stat.mode};
  row.stat = indexed.stat;
  row.indexed_ns = now.started_ns;
  const bool same = old && old->version.token.root == indexed.root;
  if (same && old->stat.mtime_ns == indexed.stat.mtime_ns && disk_mode(old->version.attributes) == indexed.stat.mode)
    row.version.attributes = old->version.attributes;
  MILLRACE_TRY(keep_unsettled(path));
  MILLRACE_TRY(catalogue.transaction(parts_.disk(), [&]() -> Status {
    if (!same || row.version.attributes != old->version.attributes) {
      MILLRACE_ASSIGN(row.version.token.sequence, catalogue.next_sequence());
    }
    MILLRACE_TRY(catalogue.remove_pending_puts(path));
    return catalogue.put(path, row);
  }));
  parts_.unsettled.forget(path);
  parts_.put_chunks(indexed.root, indexed.chunks);  // behind its version: a list without one is swept
  return std::optional<Row>(row);
}

}  // namespace millrace
