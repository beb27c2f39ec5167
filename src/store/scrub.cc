#include "store/scrub.h"

#include <algorithm>

#include "base/path.h"

namespace millrace {

namespace {

constexpr std::size_t kRowsOfAStep = 256;

std::chrono::nanoseconds rest_for(std::uint64_t amount, std::uint64_t per_second) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(
      1e9 * static_cast<double>(amount) / static_cast<double>(std::max<std::uint64_t>(1, per_second))));
}

}  // namespace

Scrub::Scrub(ScrubbedStore store, const ScrubLimits& limits)
    : store_(std::move(store)), limits_(limits), hasher_(store_.hasher()) {}

std::chrono::nanoseconds Scrub::step() {
  if (reading_) return read_block();
  if (std::exchange(begins_, false)) counts_ = {};
  if (rows_.empty()) {
    auto rows = store_.paths(last_row_, kRowsOfAStep);
    if (!rows || rows->empty()) {
      ++passes_;
      last_row_.clear();
      begins_ = true;
      return limits_.interval;
    }
    rows_ = std::move(*rows);
    last_row_ = rows_.back();
    std::reverse(rows_.begin(), rows_.end());
  }
  const std::string path = std::move(rows_.back());
  rows_.pop_back();
  return begin_file(path);
}

std::chrono::nanoseconds Scrub::begin_file(const std::string& path) {
  const auto rest = rest_for(1, limits_.files_per_second);
  auto file = store_.disk.open({Area::kFiles, path}, Access::kRead);
  const auto stat = file ? store_.disk.stat_file(*file) : DiskResult<FileStat>(disk_fail(file.error()));
  if (!stat) {
    const bool is_others = is_no_file(stat.error());
    if (is_others) ++counts_.skipped;
    if (!is_others) damaged(path, disk_error(stat.error(), "open", path).sentence);
    return rest;
  }
  const auto root = store_.root_of(path, *stat);
  if (root && *root) {
    reading_.emplace(Reading{path, **root, std::move(*file), FileIndexer(path, *stat)});
  } else {
    ++counts_.skipped;
  }
  return rest;
}

std::chrono::nanoseconds Scrub::read_block() {
  const auto read = reading_->indexer.read(store_.disk, reading_->file, *hasher_);
  if (read && *read > 0) {
    counts_.bytes += *read;
    return rest_for(*read, limits_.bytes_per_second);
  }
  if (!read && read.error().code != Code::kSourceChanged) {
    damaged(reading_->path, read.error().sentence);
  } else if (!read) {
    ++counts_.skipped;  // another program cut it
  } else if (auto indexed = reading_->indexer.finish(store_.disk, reading_->file, *hasher_)) {
    judge(*indexed);
  } else {
    ++counts_.skipped;
  }
  reading_.reset();
  return std::chrono::nanoseconds(0);
}

void Scrub::judge(const Indexed& indexed) {
  if (indexed.root == reading_->root) {
    ++counts_.files;
    return;
  }
  // A commit may have come in between: then it is another file's row by now.
  const auto now = store_.disk.stat({Area::kFiles, reading_->path});
  const auto root = now ? store_.root_of(reading_->path, *now) : Result<std::optional<Digest>>(std::nullopt);
  if (!now || now->inode != indexed.stat.inode || !root || *root != reading_->root) {
    ++counts_.skipped;
    return;
  }
  damaged(reading_->path, "its content changed near byte " +
                              std::to_string(store_.first_difference(reading_->root, indexed.chunks)) +
                              " although nothing wrote to it");
}

void Scrub::damaged(const std::string& path, const std::string& how) {
  ++counts_.damaged;
  ++damaged_;
  store_.report("'" + printable(path) + "' is damaged: " + how +
                ". Restore it from the trash or a backup, or upload it again with --whole-file, and look at the disk.");
}

}  // namespace millrace
