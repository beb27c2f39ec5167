#include "store/committer.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "base/path.h"
#include "store/operations.h"

namespace millrace {

namespace {

constexpr std::size_t kFlushedTogether = 64;       ///< files whose writeback runs while the first of them is waited for
constexpr std::uint64_t kMostUncached = 1u << 30;  ///< bytes; more would hold up the next commits

Error conflict(const ReadyDraft& draft, const std::optional<Row>& now) {
  if (draft.sender == Sender::kBlind)
    return {Code::kConflict, "'" + printable(draft.path) + "' is not as expected; use --force to replace it."};
  return {Code::kConflict, "'" + printable(draft.path) + "' was changed by somebody else meanwhile (it is now " +
                               (now ? to_hex(now->version.token.root).substr(0, 12) : std::string("gone")) +
                               "); fetch it, or use --force to replace it."};
}

bool holds(const Expected& expected, const std::optional<Row>& now) {
  switch (expected.kind) {
    case Expected::Kind::kAny:
      return true;
    case Expected::Kind::kNone:
      return !now;
    case Expected::Kind::kRoot:
      return now && now->version.token.root == expected.root;
  }
  return false;
}

}  // namespace

Status fits_quota(const QuotaShare& share, const Usage& used, std::int64_t more_bytes, std::int64_t more_files,
                  const std::string& path) {
  const auto& [bytes, files] = share.quota;
  const auto over = [](std::uint64_t limit, std::uint64_t now, std::int64_t more) {
    return limit > 0 && more > 0 && (now > limit || static_cast<std::uint64_t>(more) > limit - now);
  };
  if (over(bytes, used.bytes, more_bytes)) {
    if (share.refusals != nullptr) share.refusals->bytes.add(1);
    return fail(Code::kQuota, "'" + printable(path) + "' does not fit: the account '" + share.account + "' may have " +
                                  std::to_string(bytes) + " bytes, has " + std::to_string(used.bytes) +
                                  " and would need " + std::to_string(more_bytes) + " more; delete something first.");
  }
  if (over(files, used.files, more_files)) {
    if (share.refusals != nullptr) share.refusals->files.add(1);
    return fail(Code::kQuota, "'" + printable(path) + "' does not fit: the account '" + share.account + "' has " +
                                  std::to_string(used.files) + " files, as many as it may; delete something first.");
  }
  return {};
}

Status hold_content(StoreParts& parts, const File& file, std::uint64_t bytes, const std::string& path,
                    ReadyDraft& draft) {
  if (parts.durability != Durability::kFull) return {};
  if (bytes > kMaxContentInRow) {
    const auto flushed = parts.disk().fsync(file);
    return flushed ? Status() : fail(disk_error(flushed.error(), "flush the new version of", path));
  }
  draft.content.emplace(bytes);
  const auto got = parts.disk().pread(file, *draft.content, 0);
  if (!got) return fail(disk_error(got.error(), "read the new version of", path));
  if (*got == bytes) return {};
  return fail(Code::kSourceChanged, "The new version of '" + printable(path) + "' got shorter on the server's disk.");
}

/// What fails is swept at the next start.
void Committer::drop(const std::string& staged) {
  parts_.partials->discard(staged);
}

Result<std::optional<Committer::Admitted>> Committer::admit(const ReadyDraft& draft, std::optional<Version>& there,
                                                            Group& group) {
  if (*draft.superseded) {
    return fail(Code::kConflict,
                "A newer attempt to upload '" + printable(draft.path) + "' has taken over from this one.");
  }
  MILLRACE_ASSIGN(const auto before, versions_.find(draft.path));
  if (!holds(draft.expected, before)) {
    // Another attempt of the same upload was faster, or somebody else had the same content: nothing is left to do. Told
    // to who may not read it would confirm a guess.
    const bool is_there = before && before->version.token.root == draft.root && draft.sender == Sender::kReads;
    if (!is_there) return fail(conflict(draft, before));
    there = before->version;
    return std::nullopt;
  }
  // Modulo 2^64 where a version gets shorter.
  const std::uint64_t more_bytes = draft.stat.bytes - (before ? before->version.bytes : 0);
  const std::uint64_t more_files = before ? 0 : 1;
  Usage& grown = group.grown[draft.share.account];
  Usage used = parts_.catalogue->usage(draft.share.account);
  used.bytes += grown.bytes;
  used.files += grown.files;
  MILLRACE_TRY(fits_quota(draft.share, used, static_cast<std::int64_t>(more_bytes),
                          static_cast<std::int64_t>(more_files), draft.path));
  if (!before) MILLRACE_TRY(make_parents(parts_, draft.path));
  if (group.writable.emplace(parent_path(draft.path)).second) {
    if (Status may = may_write(parts_, draft.path); !may) {
      group.writable.erase(std::string(parent_path(draft.path)));
      return fail(std::move(may).error());
    }
  }
  grown.bytes += more_bytes;
  grown.files += more_files;
  Admitted admitted;
  admitted.row.version.bytes = draft.stat.bytes;
  admitted.row.version.attributes = {draft.attributes.mtime_ns, draft.attributes.mode & 0777};
  admitted.row.version.token = {parts_.catalogue->epoch(), 0, draft.root};
  admitted.row.stat = draft.stat;
  admitted.pending.kind = Pending::Kind::kPut;
  admitted.pending.path = draft.path;
  admitted.pending.other = draft.staged;
  admitted.pending.inode = draft.stat.inode;
  admitted.pending.content = draft.content;
  admitted.before = before;
  if (before) admitted.pending.replaced = {before->stat.inode, before->stat.bytes, before->stat.mtime_ns};
  return std::optional<Admitted>(std::move(admitted));
}

void Committer::commit(std::vector<ReadyDraft> group) {
  std::vector<std::pair<ReadyDraft, Result<Version>>> ended;
  std::vector<Admitted> admitted;
  Status flushed;
  if (parts_.durability == Durability::kFull) {
    // Contents that are not in the row must be found under their staging names after a crash.
    std::set<std::string> folders;
    for (const ReadyDraft& draft : group) {
      if (!draft.content) folders.emplace(parent_path(draft.staged));
    }
    for (const std::string& folder : folders) {
      const auto done = parts_.disk().fsync_folder({Area::kStaging, folder});
      if (done) continue;
      flushed = fail(disk_error(done.error(), "flush the folder", "staging/" + folder));
      parts_.catalogue->stop_writing(flushed.error());
      break;
    }
  }
  {
    const std::lock_guard lock(parts_.mutex);
    Status allowed = flushed ? parts_.catalogue->writable() : flushed;
    Group so_far;
    for (ReadyDraft& draft : group) {
      std::optional<Version> there;
      auto entry = allowed ? admit(draft, there, so_far) : fail(allowed.error());
      if (!entry || !*entry) {
        drop(draft.staged);
        ended.emplace_back(std::move(draft), entry ? Result<Version>(*there) : fail(entry.error()));
      } else {
        (*entry)->draft = std::move(draft);
        admitted.push_back(std::move(**entry));
      }
    }
    Catalogue& catalogue = *parts_.catalogue;
    Status committed;
    if (!admitted.empty()) {
      committed = catalogue.transaction(parts_.disk(), [&]() -> Status {
        for (Admitted& entry : admitted) {
          MILLRACE_ASSIGN(entry.row.version.token.sequence, catalogue.next_sequence());
          MILLRACE_TRY(catalogue.put(entry.pending.path, entry.row));
          const Buffer& chunks = entry.draft.chunk_row;
          if (!chunks.empty()) MILLRACE_TRY(catalogue.put_chunk_list(entry.draft.root, chunks));
          MILLRACE_ASSIGN(entry.pending.id, catalogue.add_pending(entry.pending));
        }
        return {};
      });
    }
    // Where a COMMIT failed in a way that leaves its outcome open, recovery needs the files.
    if (!committed && catalogue.writable()) {
      for (const Admitted& entry : admitted) drop(entry.pending.other);
    }
    for (Admitted& entry : admitted) {
      Result<Version> result = committed ? put_in_place(entry) : Result<Version>(fail(committed.error()));
      ended.emplace_back(std::move(entry.draft), std::move(result));
    }
  }
  for (auto& [draft, result] : ended) draft.done(std::move(result));
  for (const Admitted& entry : admitted) uncache_replaced(entry);
}

/// What was replaced goes to the trash and is hardly ever read again, but the kernel does not know that: it would keep
/// it in its cache and take memory for the next versions that has not been used for long. Content that may not be on
/// the disk yet and will be removed is left alone, since this would have it written.
void Committer::uncache_replaced(const Admitted& admitted) {
  const std::uint64_t bytes = admitted.pending.replaced.bytes;
  if (bytes <= kMaxContentInRow || bytes > kMostUncached) return;
  if (parts_.durability != Durability::kFull && !parts_.trash->keeps()) return;
  // Where it did not come to the exchange, or a checkpoint was faster, there is nothing.
  const auto file = parts_.disk().open({Area::kStaging, admitted.pending.other}, Access::kRead);
  if (file) (void)parts_.disk().drop_cached(*file);
}

Result<Version> Committer::put_in_place(Admitted& admitted) {
  const Pending& pending = admitted.pending;
  // After a failure only a restart's recovery may go on, with this one too.
  MILLRACE_TRY(parts_.catalogue->writable());
  parts_.readers.keep(parts_.disk(), parts_.files, pending.path);
  auto outcome = put_at_once(parts_, pending);
  if (!outcome && was_refused(outcome.error())) return take_back(admitted, outcome.error());
  const auto stat = parts_.disk().stat({Area::kFiles, pending.path});
  // Another program carried it off with its folder, or took the rights from that.
  if (outcome && *outcome == Outcome::kDone && !stat && (is_missing(stat.error()) || stat.error() == EACCES))
    outcome = Outcome::kGone;
  if (outcome && *outcome == Outcome::kDone) {
    if (!stat) {
      const Error error = disk_error(stat.error(), "stat the new version of", pending.path);
      parts_.catalogue->stop_writing(error);
      return fail(error);
    }
    UnsettledPut put;
    put.id = pending.id;
    put.path = pending.path;
    if (pending.replaced.inode != 0) put.staged = pending.other;
    put.stat = *stat;
    put.row_bytes = pending.content ? pending.content->size() : 0;
    put.content_flushed = parts_.durability == Durability::kFull && !pending.content;
    parts_.unsettled.add(std::move(put));
    return admitted.row.version;
  }
  const Status settled = outcome ? settle(parts_, pending, *outcome) : Status(fail(outcome.error()));
  if (!settled) {
    parts_.catalogue->stop_writing(settled.error());
    return fail(settled.error());
  }
  drop(pending.other);
  return fail(Code::kConflict,
              "'" + printable(pending.path) +
                  "' was changed on the server by another program meanwhile; that is kept; try again.");
}

/// The file system refuses the draft its place: the version of before is the current one again.
Result<Version> Committer::take_back(const Admitted& admitted, const Error& why) {
  Catalogue& catalogue = *parts_.catalogue;
  const Pending& pending = admitted.pending;
  const Status taken_back = catalogue.transaction(parts_.disk(), [&]() -> Status {
    MILLRACE_ASSIGN(const std::uint64_t sequence, catalogue.next_sequence());
    if (admitted.before) {
      Row row = *admitted.before;
      row.version.token.sequence = sequence;
      MILLRACE_TRY(catalogue.put(pending.path, row));
    } else {
      MILLRACE_TRY(catalogue.erase(pending.path, sequence));
    }
    return catalogue.remove_pending(pending.id);
  });
  if (!taken_back) {
    catalogue.stop_writing(taken_back.error());
    return fail(taken_back.error());
  }
  drop(pending.other);
  return fail(why);
}

bool Committer::is_due(unsigned times) const {
  return parts_.unsettled.count() >= times * due_.commits || parts_.unsettled.row_bytes() >= times * due_.row_bytes;
}

Status Committer::checkpoint() {
  const std::lock_guard serial(checkpoint_);
  MILLRACE_TRY(parts_.catalogue->writable());
  const std::vector<UnsettledPut> puts = parts_.unsettled.take();
  if (puts.empty()) return {};
  Status status = flush_contents(puts);
  if (status && parts_.durability != Durability::kNone) {
    std::set<std::string> folders;
    for (const UnsettledPut& put : puts) folders.emplace(parent_path(put.path));
    status = parts_.durable_names.flush(parts_.disk(), folders);
  }
  // A flush that failed is not repeated: a second one would succeed without the bytes.
  if (!status && status.error().code != Code::kBusy) parts_.catalogue->stop_writing(status.error());
  // While the pending rows are there, so that a crash loses none of them.
  if (status) status = give_up_replaced(puts);
  if (status) {
    const std::lock_guard lock(parts_.mutex);
    status = settle_all(puts);
  }
  if (!status) {
    parts_.unsettled.restore(puts);
    return status;
  }
  return parts_.catalogue->checkpoint_log();
}

Status Committer::give_up_replaced(const std::vector<UnsettledPut>& puts) {
  for (const UnsettledPut& put : puts) {
    if (put.staged.empty()) continue;
    const auto taken = parts_.trash->take({Area::kStaging, put.staged}, put.path);
    if (!taken && taken.error() != ENOENT)
      return fail(disk_error(taken.error(), "remove the replaced version of", put.path));
  }
  return {};
}

Status Committer::flush_contents(const std::vector<UnsettledPut>& puts) {
  if (parts_.durability == Durability::kNone) return {};
  std::vector<std::pair<File, const UnsettledPut*>> open;
  const auto flush = [&]() -> Status {
    for (const auto& [file, put] : open) {
      const auto done = parts_.disk().fsync(file);
      if (!done) return fail(disk_error(done.error(), "flush", put->path));
    }
    open.clear();
    return {};
  };
  for (const UnsettledPut& put : puts) {
    // A version that was replaced already need not last.
    if (put.content_flushed || !parts_.unsettled.is_latest(put)) continue;
    auto file = parts_.disk().open({Area::kFiles, put.path}, Access::kRead);
    // Gone, or no file any more: another program's doing.
    if (!file && is_no_file(file.error())) continue;
    if (!file && !parts_.unsettled.is_latest(put)) continue;
    if (!file && file.error() == EACCES) {
      // Another program took the rights from it. The whole file system can be flushed all the same.
      const auto done = parts_.disk().flush_all();
      if (!done) return fail(disk_error(done.error(), "flush", put.path));
      continue;
    }
    if (!file) return fail(disk_error(file.error(), "open for its flush", put.path));
    const auto stat = parts_.disk().stat_file(*file);
    if (!stat) return fail(disk_error(stat.error(), "stat for its flush", put.path));
    if (stat->inode != put.stat.inode) continue;
    (void)parts_.disk().start_writeback(*file, 0, stat->bytes);
    open.emplace_back(std::move(*file), &put);
    if (open.size() == kFlushedTogether) MILLRACE_TRY(flush());
  }
  return flush();
}

Status Committer::settle_all(const std::vector<UnsettledPut>& puts) {
  Catalogue& catalogue = *parts_.catalogue;
  MILLRACE_TRY(catalogue.transaction(parts_.disk(), [&]() -> Status {
    for (const UnsettledPut& put : puts) {
      MILLRACE_TRY(catalogue.remove_pending(put.id));
      if (parts_.unsettled.is_latest(put)) MILLRACE_TRY(catalogue.settle_stat(put.path, put.stat));
    }
    return {};
  }));
  parts_.unsettled.settled(puts);
  return {};
}

}  // namespace millrace
