#include "store/indexer.h"

#include <algorithm>

#include "base/path.h"
#include "codec/xxh3.h"
#include "delta/chunker.h"

namespace millrace {

namespace {
constexpr std::size_t kBlockBytes = 4u << 20;
}  // namespace

Result<std::size_t> FileIndexer::read(Disk& disk, const File& file, Hasher& hasher) {
  const std::uint64_t bytes = indexed_.stat.bytes;
  if (offset_ == bytes) return std::size_t{0};
  block_.resize(std::min<std::uint64_t>(kBlockBytes, bytes - offset_));
  const auto got = disk.pread(file, block_, offset_);
  if (!got) return fail(disk_error(got.error(), "read", path_));
  if (*got != block_.size())
    return fail(Code::kSourceChanged, "'" + printable(path_) + "' got shorter while it was read; try again.");
  lengths_.clear();
  const bool last = offset_ + block_.size() == bytes;
  const std::size_t covered = cut_chunks(block_, last ? Tail::kEndOfFile : Tail::kMoreFollows, lengths_);
  ByteView rest = ByteView(block_).first(covered);
  for (const std::uint32_t length : lengths_) {
    const ByteView content = rest.first(length);
    indexed_.chunks.push_back({hasher.hash(content), xxh3_64(content), length});
    builder_.add(length, indexed_.chunks.back().digest, hasher);
    rest = rest.subspan(length);
  }
  offset_ += covered;
  return covered;
}

Status FileIndexer::read_all(Disk& disk, const File& file, Hasher& hasher) {
  for (;;) {
    MILLRACE_ASSIGN(const std::size_t got, read(disk, file, hasher));
    if (got == 0) return {};
  }
}

Result<Indexed> FileIndexer::finish(Disk& disk, const File& file, Hasher& hasher) {
  indexed_.root = builder_.finish(hasher).root;
  const auto after = disk.stat_file(file);
  if (!after) return fail(disk_error(after.error(), "stat", path_));
  if (after->bytes != indexed_.stat.bytes || after->mtime_ns != indexed_.stat.mtime_ns)
    return fail(Code::kSourceChanged, "'" + printable(path_) + "' changed while it was read; try again.");
  return std::move(indexed_);
}

Result<Indexed> index_file(Disk& disk, const File& file, std::string_view path, Hasher& hasher) {
  const auto before = disk.stat_file(file);
  if (!before) return fail(disk_error(before.error(), "stat", path));
  FileIndexer indexer(std::string(path), *before);
  MILLRACE_TRY(indexer.read_all(disk, file, hasher));
  return indexer.finish(disk, file, hasher);
}

}  // namespace millrace
