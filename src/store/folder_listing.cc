#include "store/folder_listing.h"

#include <algorithm>

#include "base/path.h"

namespace millrace {

namespace {

std::string joined(const std::string& folder, const std::string& name) {
  if (folder.empty()) return name;
  return name.empty() ? folder : folder + "/" + name;
}

Result<Entry> describe(std::string path, const FileStat& stat, const std::string& stored, const VersionOf& version_of) {
  Entry entry;
  entry.path = std::move(path);
  entry.version.attributes = {stat.mtime_ns, stat.mode};
  if (stat.kind == FileKind::kFolder) {
    entry.kind = EntryKind::kFolder;
  } else if (stat.kind == FileKind::kSymlink) {
    entry.kind = EntryKind::kSymlink;
  } else {
    entry.version.bytes = stat.bytes;
    MILLRACE_ASSIGN(const auto version, version_of(stored, stat));
    if (version) entry.version = *version;
  }
  return entry;
}

}  // namespace

Result<Listing> list_in_order(Disk& disk, Area area, const std::string& account, const VersionOf& version_of,
                              const std::string& folder, Recursive recursive, const std::string& cursor,
                              std::size_t limit) {
  struct Open {
    std::string path;
    std::vector<std::string> names;  ///< still to come; the last is next
  };
  std::vector<Open> open;
  const auto enter = [&open](const std::string& path, std::vector<std::string> names) {
    std::sort(names.begin(), names.end(), std::greater<>());
    open.push_back({path, std::move(names)});
  };
  Listing listing;
  auto names = disk.list({area, joined(account, folder)});
  if (!names) {
    if (folder.empty()) return listing;  // an account without files yet
    return fail(disk_error(names.error(), "list", folder));
  }
  enter(folder, std::move(*names));
  while (!open.empty()) {
    if (open.back().names.empty()) {
      open.pop_back();
      continue;
    }
    const std::string path = joined(open.back().path, open.back().names.back());
    open.back().names.pop_back();
    const bool passed = !cursor.empty() && !path_less(cursor, path);
    const bool leads_to_cursor = passed && recursive == Recursive::kYes && (cursor + "/").starts_with(path + "/");
    if (passed && !leads_to_cursor) continue;
    const std::string stored = joined(account, path);
    const auto stat = disk.stat({area, stored});
    if (!stat || stat->kind == FileKind::kSpecial) continue;
    if (!passed) {
      if (listing.entries.size() == limit) {
        listing.next_cursor = listing.entries.back().path;
        return listing;
      }
      MILLRACE_ASSIGN(Entry entry, describe(path, *stat, stored, version_of));
      listing.entries.push_back(std::move(entry));
    }
    if (stat->kind != FileKind::kFolder || recursive == Recursive::kNo) continue;
    // One that is gone meanwhile is passed over.
    if (auto inner = disk.list({area, stored})) enter(path, std::move(*inner));
  }
  return listing;
}

}  // namespace millrace
