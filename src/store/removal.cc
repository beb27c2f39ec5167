#include "store/removal.h"

#include <optional>
#include <set>
#include <string_view>

#include "base/path.h"

namespace millrace {

namespace {

struct Removal {
  Pending pending;
  std::optional<Row> row;
  Status done;
};

Status finish(StoreParts& parts, std::vector<Removal>& removals) {
  std::set<std::string> folders;
  for (Removal& removal : removals) {
    parts.readers.keep(parts.disk(), parts.files, removal.pending.path);
    auto outcome = materialise(parts, removal.pending, Flush::kLater);
    if (!outcome && !was_refused(outcome.error())) return fail(std::move(outcome).error());
    if (!outcome) removal.done = fail(std::move(outcome).error());
    folders.emplace(parent_path(removal.pending.path));
  }
  if (parts.durability != Durability::kNone) MILLRACE_TRY(parts.durable_names.flush(parts.disk(), folders));
  return parts.catalogue->transaction(parts.disk(), [&]() -> Status {
    for (Removal& removal : removals) {
      if (!removal.done && removal.row) {
        MILLRACE_ASSIGN(removal.row->version.token.sequence, parts.catalogue->next_sequence());
        MILLRACE_TRY(parts.catalogue->put(removal.pending.path, *removal.row));
      }
      MILLRACE_TRY(parts.catalogue->remove_pending(removal.pending.id));
    }
    return {};
  });
}

}  // namespace

Status remove_together(StoreParts& parts, const std::vector<RemovedFile>& files) {
  if (files.empty()) return {};
  std::vector<Removal> removals;
  removals.reserve(files.size());
  std::set<std::string_view> folders;
  for (const RemovedFile& file : files) {
    if (folders.insert(parent_path(file.path)).second) MILLRACE_TRY(may_write(parts, file.path));
    MILLRACE_ASSIGN(auto row, parts.catalogue->find(file.path));
    removals.push_back({{0, Pending::Kind::kRemove, file.path, "", file.inode}, std::move(row), {}});
  }
  MILLRACE_TRY(parts.catalogue->transaction(parts.disk(), [&]() -> Status {
    for (Removal& removal : removals) {
      MILLRACE_ASSIGN(const std::uint64_t sequence, parts.catalogue->next_sequence());
      MILLRACE_TRY(parts.catalogue->erase(removal.pending.path, sequence));
      MILLRACE_ASSIGN(removal.pending.id, parts.catalogue->add_pending(removal.pending));
    }
    return {};
  }));
  const Status finished = finish(parts, removals);
  if (!finished) parts.catalogue->stop_writing(finished.error());
  MILLRACE_TRY(finished);
  for (const Removal& removal : removals) MILLRACE_TRY(removal.done);
  return {};
}

}  // namespace millrace
