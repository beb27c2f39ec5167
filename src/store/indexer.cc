#include "store/indexer.h"

#include <algorithm>

#include "base/path.h"
#include "codec/xxh3.h"
#include "delta/hashed_chunks.h"

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
  const bool last = offset_ + block_.size() == bytes;
  const HashedChunks cut = cut_and_hash(block_, last ? Tail::kEndOfFile : Tail::kMoreFollows, hasher);
  for (std::size_t i = 0; i < cut.contents.size(); ++i) {
    const auto length = static_cast<std::uint32_t>(cut.contents[i].size());
    indexed_.chunks.push_back({cut.digests[i], xxh3_64(cut.contents[i]), length});
    builder_.add(length, cut.digests[i], hasher);
  }
  offset_ += cut.covered;
  return cut.covered;
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
