#include "store/removal.h"

#include <set>

#include "base/path.h"

namespace millrace {

namespace {

Status finish(StoreParts& parts, const std::vector<Pending>& removals) {
  std::set<std::string> folders;
  for (const Pending& removal : removals) {
    parts.readers.keep(parts.disk(), parts.files, removal.path);
    MILLRACE_TRY(materialise(parts, removal, Flush::kLater));
    folders.emplace(parent_path(removal.path));
  }
  if (parts.durability != Durability::kNone) MILLRACE_TRY(parts.durable_names.flush(parts.disk(), folders));
  return parts.catalogue->transaction(parts.disk(), [&]() -> Status {
    for (const Pending& removal : removals) MILLRACE_TRY(parts.catalogue->remove_pending(removal.id));
    return {};
  });
}

}  // namespace

Status remove_together(StoreParts& parts, const std::vector<RemovedFile>& files) {
  if (files.empty()) return {};
  std::vector<Pending> removals;
  removals.reserve(files.size());
  for (const RemovedFile& file : files) removals.push_back({0, Pending::Kind::kRemove, file.path, "", file.inode});
  MILLRACE_TRY(parts.catalogue->transaction(parts.disk(), [&]() -> Status {
    for (Pending& removal : removals) {
      MILLRACE_ASSIGN(const std::uint64_t sequence, parts.catalogue->next_sequence());
      MILLRACE_TRY(parts.catalogue->erase(removal.path, sequence));
      MILLRACE_ASSIGN(removal.id, parts.catalogue->add_pending(removal));
    }
    return {};
  }));
  const Status finished = finish(parts, removals);
  if (!finished) parts.catalogue->stop_writing(finished.error());
  return finished;
}

}  // namespace millrace
