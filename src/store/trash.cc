#include "store/trash.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "base/path.h"
#include "base/timestamp.h"
#include "store/folder_listing.h"

namespace millrace {

namespace {

constexpr std::int64_t kMinute = 60 * kNsPerSecond;
constexpr std::int64_t kSweepEvery = 3600 * kNsPerSecond;
constexpr char kMark = '~';
constexpr std::size_t kSuffixBytes = 1 + kTimestampBytes;
constexpr std::size_t kMostNameBytes = 255;
constexpr int kTries = 5;  ///< a sweep may remove the folder that was just made

bool has_no_room(int error) {
  return error == ENOSPC || error == EDQUOT || error == ENAMETOOLONG || error == EMLINK || error == EEXIST ||
         is_missing(error);
}

}  // namespace

std::string trashed_path(const TrashedName& name) {
  const std::string folder(parent_path(name.path));
  const std::string last(last_part(name.path).substr(0, kMostNameBytes - kSuffixBytes));
  return (folder.empty() ? "" : folder + "/") + last + kMark + format_timestamp(name.trashed_ns);
}

std::optional<TrashedName> parse_trashed_path(std::string_view path) {
  if (path.size() <= kSuffixBytes || path[path.size() - kSuffixBytes] != kMark) return std::nullopt;
  const auto trashed_ns = parse_timestamp(path.substr(path.size() - kTimestampBytes));
  if (!trashed_ns) return std::nullopt;
  return TrashedName{std::string(path.substr(0, path.size() - kSuffixBytes)), *trashed_ns};
}

DiskResult<std::string> Trash::keep(const Place& from, const std::string& path) {
  const auto stat = disk_.stat(from);
  if (!stat) return disk_fail(stat.error());
  TrashedName name{path, now_ns_()};
  DiskStatus moved;
  for (int i = 0; i < kTries; ++i, ++name.trashed_ns) {
    std::string to = trashed_path(name);
    moved = disk_.rename_noreplace(from, {Area::kTrash, to});
    if (moved) {
      held_ += stat->bytes;
      return to;
    }
    if (is_missing(moved.error())) moved = make_folders(to);
    if (!moved && moved.error() != EEXIST) break;
  }
  return disk_fail(moved ? EEXIST : moved.error());
}

DiskStatus Trash::take(const Place& from, const std::string& path) {
  if (!keeps()) return disk_.unlink(from);
  const auto kept = keep(from, path);
  if (kept) return {};
  const bool has_to_go = from.area == Area::kStaging && is_refused(kept.error());
  if (!has_to_go && !has_no_room(kept.error())) return disk_fail(kept.error());
  return disk_.unlink(from);
}

DiskStatus Trash::make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const auto made = disk_.make_folder({Area::kTrash, path.substr(0, slash)});
    if (!made && made.error() != EEXIST) return made;
  }
  return {};
}

void Trash::walk(const std::string& folder, const Visit& visit) {
  const auto names = disk_.list({Area::kTrash, folder});
  if (!names) return;
  for (const std::string& name : *names) {
    const std::string path = folder.empty() ? name : folder + "/" + name;
    const auto stat = disk_.stat({Area::kTrash, path});
    if (!stat) continue;
    if (stat->kind == FileKind::kFolder) {
      walk(path, visit);
      // Fails where something is left.
      (void)disk_.remove_folder({Area::kTrash, path});
    } else if (const auto trashed = parse_trashed_path(path)) {
      visit(path, trashed->trashed_ns, stat->bytes);
    }
  }
}

std::int64_t Trash::cutoff(std::uint64_t limit) {
  // By minutes: bounded by the time that things are kept, not by how many there are.
  std::map<std::int64_t, std::uint64_t> minutes;
  std::uint64_t held = 0;
  walk("", [&](const std::string&, std::int64_t trashed_ns, std::uint64_t bytes) {
    minutes[trashed_ns / kMinute] += bytes;
    held += bytes;
  });
  held_ = held;
  std::int64_t cutoff_ns = now_ns_() - limits_.keep.count();
  for (const auto& [minute, bytes] : minutes) {
    const bool is_too_old = minute * kMinute < cutoff_ns;
    if (!is_too_old && held <= limit) break;
    if (!is_too_old) cutoff_ns = (minute + 1) * kMinute;
    held -= bytes;
  }
  return cutoff_ns;
}

std::uint64_t Trash::remove_before(std::int64_t cutoff_ns) {
  std::uint64_t removed = 0;
  walk("", [&](const std::string& stored, std::int64_t trashed_ns, std::uint64_t bytes) {
    if (trashed_ns < cutoff_ns && disk_.unlink({Area::kTrash, stored})) removed += bytes;
  });
  held_ -= std::min<std::uint64_t>(held_, removed);
  return removed;
}

std::uint64_t Trash::most_bytes() {
  if (most_bytes_ == 0) {
    const auto all = disk_.total_bytes();
    if (!all) return UINT64_MAX;
    most_bytes_ = std::max<std::uint64_t>(*all / 100 * limits_.percent, 1);
  }
  return most_bytes_;
}

void Trash::sweep() {
  const std::lock_guard lock(sweeping_);
  const std::uint64_t most = most_bytes();
  const std::int64_t now = now_ns_();
  const bool is_time = !swept_ns_ || now - *swept_ns_ >= kSweepEvery || now < *swept_ns_;
  if (!is_time && held_ <= most) return;
  swept_ns_ = now;
  // With some room to spare, or a busy server would sweep all the time.
  remove_before(cutoff(most / 10 * 9));
}

bool Trash::make_room(std::uint64_t bytes) {
  const std::lock_guard lock(sweeping_);
  const std::uint64_t held = held_;
  if (held == 0) return false;
  return remove_before(cutoff(held - std::min(held, std::max<std::uint64_t>(bytes, held / 10)))) > 0;
}

Result<TrashListing> Trash::list(const std::string& account, const std::string& path, const std::string& cursor,
                                 std::size_t limit) {
  static const VersionOf kUnknown = [](const std::string&, const FileStat&) { return std::optional<Version>(); };
  TrashListing out;
  const std::string below = account.empty() ? path : account + (path.empty() ? "" : "/" + path);
  const auto stat = disk_.stat({Area::kTrash, below});
  const bool is_folder = path.empty() || (stat && stat->kind == FileKind::kFolder);
  // Versions of a file lie beside each other in the folder that the file was in.
  const std::string folder = is_folder ? path : std::string(parent_path(path));
  auto listing = list_in_order(disk_, Area::kTrash, account, kUnknown, folder,
                               is_folder ? Recursive::kYes : Recursive::kNo, cursor, limit);
  if (!listing && listing.error().code == Code::kNotFound) return out;
  if (!listing) return fail(std::move(listing).error());
  out.next_cursor = std::move(listing->next_cursor);
  for (Entry& entry : listing->entries) {
    const auto trashed = entry.kind == EntryKind::kFile ? parse_trashed_path(entry.path) : std::nullopt;
    if (!trashed || (!is_folder && trashed->path != path)) continue;
    std::string cursor = std::exchange(entry.path, trashed->path);
    out.entries.push_back({std::move(entry), trashed->trashed_ns, std::move(cursor)});
  }
  return out;
}

Result<TrashedName> Trash::find(const std::string& path, std::int64_t trashed_ns) {
  const std::string folder(parent_path(path));
  std::optional<TrashedName> found;
  if (const auto names = disk_.list({Area::kTrash, folder})) {
    for (const std::string& name : *names) {
      const auto trashed = parse_trashed_path(folder.empty() ? name : folder + "/" + name);
      if (!trashed || trashed->path != path) continue;
      if (trashed_ns != 0 ? trashed->trashed_ns == trashed_ns : !found || trashed->trashed_ns > found->trashed_ns)
        found = trashed;
    }
  }
  if (found) return *found;
  return fail(Code::kNotFound, trashed_ns == 0 ? "The trash holds no version of it."
                                               : "The trash holds no version of it that went at that time.");
}

}  // namespace millrace
