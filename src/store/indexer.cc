#include "store/indexer.h"

#include <algorithm>

#include "base/path.h"
#include "codec/xxh3.h"
#include "delta/chunk_tree.h"
#include "delta/chunker.h"

namespace millrace {

Result<Indexed> index_file(Disk& disk, const File& file, std::string_view path, Hasher& hasher) {
  static constexpr std::size_t kBlockBytes = 4u << 20;
  const auto before = disk.stat_file(file);
  if (!before) return fail(disk_error(before.error(), "stat", path));
  Indexed indexed;
  indexed.stat = *before;
  ChunkTreeBuilder builder;
  Buffer block;
  std::vector<std::uint32_t> lengths;
  for (std::uint64_t offset = 0; offset < before->bytes;) {
    block.resize(std::min<std::uint64_t>(kBlockBytes, before->bytes - offset));
    const auto got = disk.pread(file, block, offset);
    if (!got) return fail(disk_error(got.error(), "read", path));
    if (*got != block.size())
      return fail(Code::kSourceChanged, "'" + printable(path) + "' got shorter while it was read; try again.");
    lengths.clear();
    const bool last = offset + block.size() == before->bytes;
    const std::size_t covered = cut_chunks(block, last ? Tail::kEndOfFile : Tail::kMoreFollows, lengths);
    ByteView rest = ByteView(block).first(covered);
    for (const std::uint32_t length : lengths) {
      const ByteView content = rest.first(length);
      indexed.chunks.push_back({hasher.hash(content), xxh3_64(content), length});
      builder.add(length, indexed.chunks.back().digest, hasher);
      rest = rest.subspan(length);
    }
    offset += covered;
  }
  indexed.root = builder.finish(hasher).root;
  const auto after = disk.stat_file(file);
  if (!after) return fail(disk_error(after.error(), "stat", path));
  if (after->bytes != before->bytes || after->mtime_ns != before->mtime_ns) {
    return fail(Code::kSourceChanged, "'" + printable(path) + "' changed while it was read; try again.");
  }
  return indexed;
}

}  // namespace millrace
