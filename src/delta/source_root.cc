#include "delta/source_root.h"

#include <algorithm>

#include "delta/chunk_tree.h"
#include "delta/chunker.h"

namespace millrace {

Result<Digest> source_root(const Source& source, Hasher& hasher) {
  static constexpr std::uint64_t kBlockBytes = 4u << 20;
  ChunkTreeBuilder builder;
  Buffer block;
  std::vector<std::uint32_t> lengths;
  for (std::uint64_t offset = 0; offset < source.size();) {
    block.resize(std::min(kBlockBytes, source.size() - offset));
    MILLRACE_TRY(source.read_at(offset, block));
    lengths.clear();
    const bool is_last = offset + block.size() == source.size();
    offset += cut_chunks(block, is_last ? Tail::kEndOfFile : Tail::kMoreFollows, lengths);
    ByteView rest(block);
    for (const std::uint32_t length : lengths) {
      builder.add(length, hasher.hash(rest.first(length)), hasher);
      rest = rest.subspan(length);
    }
  }
  return builder.finish(hasher).root;
}

}  // namespace millrace
