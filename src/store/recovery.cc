#include "store/recovery.h"

#include <cerrno>
#include <map>
#include <utility>
#include <vector>

#include "base/path.h"
#include "store/indexer.h"
#include "store/operations.h"
#include "store/staging_shards.h"

namespace millrace {

namespace {

constexpr const char* kRebuilt = ".again";  ///< ends the staging name of a file that was made again from its row

/// After a flush that failed the kernel takes the bytes for flushed, and another flush succeeds without them. Written
/// again they are not.
Status write_again(Disk& disk, const File& file, const Pending& pending, const Attributes& attributes) {
  auto done = disk.pwrite(file, *pending.content, 0);
  if (done) done = disk.set_attributes(file, disk_mode(attributes), attributes.mtime_ns);
  // Another program made it somebody else's file, and its time tells that it was written.
  if (!done && done.error() == EPERM) return {};
  if (!done) return fail(disk_error(done.error(), "write again", pending.path));
  return {};
}

/// Gives the file its content back after a power cut. In its place, so that the version that it replaced stays what
/// goes to the trash; this is repeated until it is flushed.
Status mend(Disk& disk, const File& file, const Pending& pending, const Attributes& attributes) {
  auto done = disk.pwrite(file, *pending.content, 0);
  if (done) done = disk.truncate(file, pending.content->size());
  if (done) done = disk.set_attributes(file, disk_mode(attributes), attributes.mtime_ns);
  if (done) done = disk.fsync(file);
  return done ? Status() : fail(disk_error(done.error(), "mend", pending.path));
}

/// A new file in staging/ with the content that the pending row holds, flushed. Returns its name.
Result<std::string> make_again(Disk& disk, const Pending& pending, const Attributes& attributes) {
  const Place again{Area::kStaging, pending.other + kRebuilt};
  (void)disk.unlink(again);  // of an interrupted recovery; create() notices if it is still there
  const auto file = disk.create(again);
  if (!file) return fail(disk_error(file.error(), "make again", pending.path));
  auto done = disk.pwrite(*file, *pending.content, 0);
  if (done) done = disk.set_attributes(*file, disk_mode(attributes), attributes.mtime_ns);
  if (done) done = disk.fsync(*file);
  if (done) done = disk.fsync_folder({Area::kStaging, std::string(parent_path(again.path))});
  if (!done) return fail(disk_error(done.error(), "make again", pending.path));
  return again.path;
}

/// The file of a commit whose content its row has: mended where the crash damaged it, made again where it left none.
Status ensure_content(StoreParts& parts, Pending& pending, const LastRun& last) {
  Disk& disk = parts.disk();
  const Place place{Area::kFiles, pending.path};
  const Place staged{Area::kStaging, pending.other};
  MILLRACE_ASSIGN(const auto row, parts.catalogue->find(pending.path));
  if (!row && !pending.attributes) return {};
  const Attributes attributes = row ? row->version.attributes : *pending.attributes;
  const std::int64_t mtime_ns = row ? row->stat.mtime_ns : attributes.mtime_ns;
  MILLRACE_ASSIGN(const bool is_placed, has_inode(disk, place, pending.inode));
  MILLRACE_ASSIGN(const bool is_staged, has_inode(disk, staged, pending.inode));
  if (is_placed || is_staged) {
    const auto file = disk.open(is_placed ? place : staged, Access::kReadWrite);
    // Another program took the rights from it; the kernel has lost nothing.
    if (!file && is_refused(file.error()) && !last.machine_restarted) return {};
    if (!file) return fail(disk_error(file.error(), "open", pending.path));
    Buffer found(pending.content->size() + 1);
    const auto got = disk.pread(*file, found, 0);
    if (!got) return fail(disk_error(got.error(), "read", pending.path));
    found.resize(*got);
    const auto stat = disk.stat_file(*file);
    if (stat && found == *pending.content) {
      // Its time may be that of a start that was killed while it wrote again.
      if (!last.machine_restarted) return write_again(disk, *file, pending, attributes);
      if (stat->mtime_ns == mtime_ns && stat->mode == disk_mode(attributes)) return {};
    }
    // The kernel has lost nothing, and what another program wrote since is kept.
    if (!last.machine_restarted) return {};
    return mend(disk, *file, pending, attributes);
  }
  // The row will name another file: what stands under this name is a version that was replaced.
  if (const auto taken = parts.trash->take(staged, pending.path); !taken && taken.error() != ENOENT)
    return fail(disk_error(taken.error(), "keep the replaced version of", pending.path));
  MILLRACE_ASSIGN(const std::string again, make_again(disk, pending, attributes));
  const auto stat = disk.stat({Area::kStaging, again});
  if (!stat) return fail(disk_error(stat.error(), "stat", pending.path));
  pending.inode = stat->inode;
  pending.other = again;
  return parts.catalogue->transaction(disk, [&]() -> Status {
    if (row) {
      Row rebuilt = *row;
      rebuilt.stat = *stat;
      MILLRACE_TRY(parts.catalogue->put(pending.path, rebuilt));
    }
    return parts.catalogue->replace_pending(pending);
  });
}

/// Whether a file that may never have been flushed is what was acknowledged.
Result<bool> is_whole(StoreParts& parts, const Pending& pending) {
  MILLRACE_ASSIGN(const auto row, parts.catalogue->find(pending.path));
  if (!row) return true;
  const auto file = parts.disk().open({Area::kFiles, pending.path}, Access::kRead);
  if (!file) return fail(disk_error(file.error(), "open", pending.path));
  const auto hasher = parts.hasher();
  MILLRACE_ASSIGN(const Indexed indexed, index_file(parts.disk(), *file, pending.path, *hasher));
  return indexed.root == row->version.token.root;
}

/// `earlier`: commits to the same path that this one supersedes. Their rows stay as long as this one's, because names
/// that are lost until then bring their files back; taken where that is so.
Status redo_put(StoreParts& parts, Pending& pending, std::vector<UnsettledPut>& earlier, const LastRun& last,
                const Report& report) {
  Disk& disk = parts.disk();
  const Place place{Area::kFiles, pending.path};
  const Place staged{Area::kStaging, pending.other};
  if (pending.content) MILLRACE_TRY(ensure_content(parts, pending, last));
  MILLRACE_ASSIGN(Outcome outcome, materialise(parts, pending));
  if (outcome == Outcome::kDone && last.machine_restarted && last.durability != Durability::kFull) {
    MILLRACE_ASSIGN(const bool whole, is_whole(parts, pending));
    if (!whole) {
      const auto older = disk.stat(staged);
      if (older) {
        const auto back = disk.exchange(staged, place);
        if (!back) return fail(disk_error(back.error(), "bring back the older version of", pending.path));
      }
      outcome = Outcome::kGone;
      report("'" + printable(pending.path) + "': its last version was not on disk yet when the machine stopped; " +
             (older ? "the one before is back." : "what is there is kept as it is; upload it again."));
    }
  }
  if (outcome == Outcome::kForeign)
    report("'" + printable(pending.path) +
           "' was changed by another program before a committed version was in its place; that file is kept.");
  const auto stat = disk.stat(place);
  if (!stat && outcome == Outcome::kDone) return fail(disk_error(stat.error(), "stat", pending.path));
  if (outcome == Outcome::kDone) {
    // Another program may have written into the file since: that is a version of its own.
    MILLRACE_ASSIGN(const auto row, parts.catalogue->find(pending.path));
    if (row && (stat->bytes != row->version.bytes || stat->mtime_ns != row->version.attributes.mtime_ns))
      outcome = Outcome::kForeign;
  }
  if (outcome != Outcome::kDone) return settle(parts, pending, outcome);
  for (UnsettledPut& put : std::exchange(earlier, {})) {
    put.stat = *stat;
    parts.unsettled.add(std::move(put));
  }
  parts.unsettled.add({pending.id, pending.path, pending.other, *stat, 0, false});
  return {};
}

/// Rights that another program took, or a mount that it made, must not keep the server from starting. A full disk does:
/// with some room all will be well.
bool is_given_up(const Error& error) {
  return error.code == Code::kNotAllowed;
}

/// A committed version that cannot have its place is kept elsewhere, and so is what it replaced.
Status give_up_place(StoreParts& parts, const Pending& pending, const Attributes& attributes, const Error& why,
                     const Report& report) {
  std::string kept;
  const auto staged = parts.disk().stat({Area::kStaging, pending.other});
  if (!staged && staged.error() != ENOENT) return fail(disk_error(staged.error(), "stat", pending.other));
  if (pending.content) {
    // Whether what is staged was flushed is not known.
    MILLRACE_ASSIGN(const std::string again, make_again(parts.disk(), pending, attributes));
    MILLRACE_ASSIGN(kept, keep_aside(parts, again, pending.path));
  }
  if (staged && (staged->inode != pending.inode || !pending.content)) {
    MILLRACE_ASSIGN(const std::string older, keep_aside(parts, pending.other, pending.path));
    if (staged->inode == pending.inode) kept = older;
  }
  report("'" + printable(pending.path) + "': a committed version could not be put in its place" +
         (kept.empty() ? "; look whether it is there"
                       : " and is kept as '" + printable(kept) + "' in the data folder; restore it from there") +
         " (" + why.sentence + ").");
  return settle(parts, pending, Outcome::kRefused);
}

/// All commits to one path, in their order. `useless`: ids of pending rows that have nothing to bring back any more.
Status redo_puts(StoreParts& parts, std::vector<Pending*> puts, std::vector<std::int64_t>& useless, const LastRun& last,
                 const Report& report) {
  for (;;) {
    Pending& pending = *puts.back();
    puts.pop_back();
    std::vector<UnsettledPut> earlier;
    for (const Pending* put : puts) earlier.push_back({put->id, put->path, put->other, {}, 0, false});
    const Status done = redo_put(parts, pending, earlier, last, report);
    if (!done && !is_given_up(done.error())) return done;
    if (done) {
      for (const UnsettledPut& put : earlier) useless.push_back(put.id);
      return {};
    }
    MILLRACE_ASSIGN(const auto row, parts.catalogue->find(pending.path));
    const Attributes attributes = row ? row->version.attributes : pending.attributes.value_or(Attributes{});
    MILLRACE_TRY(give_up_place(parts, pending, attributes, done.error(), report));
    if (puts.empty()) return {};
    // The one before it counts again.
    puts.back()->attributes = Attributes{pending.replaced.mtime_ns, attributes.mode};
  }
}

Status redo_other(StoreParts& parts, const Pending& pending, const Report& report) {
  const auto outcome = materialise(parts, pending);
  if (!outcome && !is_given_up(outcome.error())) return fail(outcome.error());
  MILLRACE_TRY(settle(parts, pending, outcome ? *outcome : Outcome::kRefused));
  const std::string& path = pending.kind == Pending::Kind::kMove ? pending.other : pending.path;
  if (!outcome)
    report("'" + printable(pending.path) + "' could not be moved, changed or deleted, and is left as it is (" +
           outcome.error().sentence + ").");
  if (outcome && *outcome == Outcome::kForeign)
    report("'" + printable(path) + "' was changed by another program while it was moved or changed; it is kept.");
  return {};
}

}  // namespace

Status redo_pending(StoreParts& parts, const LastRun& last, const Report& report) {
  MILLRACE_ASSIGN(auto operations, parts.catalogue->pending());
  // Only the last commit to a path counts, and it may find any of its predecessors there, or what they replaced.
  std::map<std::string, std::vector<Pending*>> puts;
  for (Pending& pending : operations) {
    if (pending.kind != Pending::Kind::kPut) continue;
    std::vector<Pending*>& of_path = puts[pending.path];
    if (!of_path.empty()) {
      const Pending& earlier = *of_path.back();
      pending.before = earlier.before;
      pending.before.push_back(earlier.replaced);
      pending.superseded = earlier.superseded;
      pending.superseded.push_back(earlier.inode);
    }
    of_path.push_back(&pending);
  }
  std::vector<std::int64_t> useless;
  for (Pending& pending : operations) {
    if (pending.kind == Pending::Kind::kPut) {
      const std::vector<Pending*>& of_path = puts[pending.path];
      if (of_path.back() == &pending) MILLRACE_TRY(redo_puts(parts, of_path, useless, last, report));
      continue;
    }
    MILLRACE_TRY(redo_other(parts, pending, report));
  }
  return parts.catalogue->transaction(parts.disk(), [&]() -> Status {
    for (const std::int64_t id : useless) MILLRACE_TRY(parts.catalogue->remove_pending(id));
    return {};
  });
}

Status sweep_staging(StoreParts& parts) {
  const auto paths = staged_paths(parts.disk());
  if (!paths) return fail(disk_error(paths.error(), "list", "staging"));
  for (const std::string& name : parts.partials->load(*paths)) {
    if (name.ends_with(kKeptAside)) continue;
    const auto removed = parts.disk().unlink({Area::kStaging, name});
    if (!removed && removed.error() != ENOENT) return fail(disk_error(removed.error(), "sweep from staging", name));
  }
  return {};
}

namespace {
constexpr const char* kBoot = "boot";
constexpr const char* kCleanEnd = "clean_end";
constexpr const char* kDurability = "unflushed";  ///< named when there were two
}  // namespace

Result<LastRun> last_run(StoreParts& parts, std::uint64_t boot) {
  Catalogue& catalogue = *parts.catalogue;
  MILLRACE_ASSIGN(const std::uint64_t last_boot, catalogue.mark(kBoot, boot));
  MILLRACE_ASSIGN(const std::uint64_t clean, catalogue.mark(kCleanEnd, 1));
  MILLRACE_ASSIGN(const std::uint64_t durability, catalogue.mark(kDurability, 0));
  return LastRun{last_boot != boot && clean == 0,
                 durability == 0   ? Durability::kFull
                 : durability == 1 ? Durability::kNone
                                   : Durability::kBatch,
                 clean != 0};
}

Status note_start(StoreParts& parts, const LastRun& last, std::uint64_t boot) {
  Catalogue& catalogue = *parts.catalogue;
  if (!last.ended_cleanly && last.durability == Durability::kNone && parts.durability != Durability::kNone) {
    const auto flushed = parts.disk().flush_all();
    if (!flushed) return fail(disk_error(flushed.error(), "flush", "the data folder"));
  }
  MILLRACE_TRY(catalogue.transaction(parts.disk(), [&]() -> Status {
    if (last.machine_restarted && last.durability == Durability::kNone) MILLRACE_TRY(catalogue.distrust_files());
    MILLRACE_TRY(catalogue.set_mark(kBoot, boot));
    MILLRACE_TRY(catalogue.set_mark(kCleanEnd, 0));
    const std::uint64_t durability = parts.durability == Durability::kFull   ? 0
                                     : parts.durability == Durability::kNone ? 1
                                                                             : 2;
    return catalogue.set_mark(kDurability, durability);
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
