#include "store/background_scan.h"

#include <algorithm>
#include <cerrno>

namespace millrace {

namespace {

constexpr std::uint64_t kStepsPerSecond = 20;    ///< at the full rate: how fine the work is spread
constexpr std::uint64_t kEntriesPerChange = 20;  ///< what a transaction of its own counts as
constexpr std::size_t kRowsAtOnce = 256;
constexpr std::size_t kMaxFoldersWaiting = 1'000'000;

bool is_gone(const DiskResult<FileStat>& stat) {
  if (stat) return stat->kind != FileKind::kRegular;
  return is_missing(stat.error());
}

}  // namespace

BackgroundScan::BackgroundScan(ScannedStore store, const ScanLimits& limits)
    : store_(std::move(store)), limits_(limits), hasher_(store_.hasher()), folders_{std::string()} {}

std::chrono::nanoseconds BackgroundScan::rest(std::uint64_t entries, std::uint64_t bytes) const {
  const auto share = [](std::uint64_t amount, std::uint64_t per_second) {
    return static_cast<double>(amount) / static_cast<double>(std::max<std::uint64_t>(1, per_second));
  };
  return std::chrono::nanoseconds(static_cast<std::int64_t>(
      1e9 * (share(entries, limits_.entries_per_second) + share(bytes, limits_.bytes_per_second))));
}

std::chrono::nanoseconds BackgroundScan::step() {
  if (reading_) return read_block();
  entries_ = 0;
  const std::uint64_t budget = std::max<std::uint64_t>(1, limits_.entries_per_second / kStepsPerSecond);
  const std::uint64_t passes = passes_;
  while (entries_ < budget && !reading_ && passes_ == passes) {
    ++entries_;
    if (!names_.empty()) {
      const std::string path = folder_.empty() ? names_.back() : folder_ + "/" + names_.back();
      names_.pop_back();
      look_at_file(path);
    } else if (phase_ == Phase::kRows) {
      look_at_rows();
    } else if (folders_.empty()) {
      phase_ = Phase::kRows;
    } else {
      folder_ = std::move(folders_.back());
      folders_.pop_back();
      // One that is gone meanwhile has nothing to tell; its rows are looked at later.
      if (auto names = store_.disk.list({Area::kFiles, folder_})) names_ = std::move(*names);
    }
  }
  if (passes_ != passes) return limits_.interval;
  return rest(entries_, 0);
}

void BackgroundScan::look_at_file(const std::string& path) {
  const auto stat = store_.disk.stat({Area::kFiles, path});
  if (!stat) return;
  if (stat->kind == FileKind::kFolder && folders_.size() < kMaxFoldersWaiting) folders_.push_back(path);
  if (stat->kind != FileKind::kRegular) return;
  const auto known = store_.is_known(path, *stat);
  if (!known || *known) return;
  const std::int64_t started = store_.now_ns();
  auto file = store_.disk.open({Area::kFiles, path}, Access::kRead);
  if (!file) return;
  const auto opened = store_.disk.stat_file(*file);
  if (!opened) return;
  reading_.emplace(Reading{path, std::move(*file), FileIndexer(path, *opened), started});
}

std::chrono::nanoseconds BackgroundScan::read_block() {
  const auto read = reading_->indexer.read(store_.disk, reading_->file, *hasher_);
  if (read && *read > 0) return rest(0, *read);
  if (read) {
    // A file that changes while it is read is looked at in the next pass, or by whoever asks for it.
    auto indexed = reading_->indexer.finish(store_.disk, reading_->file, *hasher_);
    if (indexed) {
      const IndexedBefore file{std::move(*indexed), reading_->started_ns};
      (void)store_.refresh(reading_->path, &file);
    }
  }
  reading_.reset();
  return rest(kEntriesPerChange, 0);
}

void BackgroundScan::look_at_rows() {
  if (rows_.empty()) {
    auto rows = store_.paths(last_row_, kRowsAtOnce);
    if (!rows || rows->empty()) return end_pass();
    rows_ = std::move(*rows);
    last_row_ = rows_.back();
    std::reverse(rows_.begin(), rows_.end());
  }
  const std::string path = std::move(rows_.back());
  rows_.pop_back();
  if (!is_gone(store_.disk.stat({Area::kFiles, path}))) return;
  (void)store_.refresh(path, nullptr);
  entries_ += kEntriesPerChange;
}

void BackgroundScan::end_pass() {
  ++passes_;
  phase_ = Phase::kFiles;
  folders_.assign(1, std::string());
  rows_.clear();
  last_row_.clear();
}

}  // namespace millrace
