#include "delta/source_root.h"

#include <algorithm>

#include "delta/chunk_tree.h"
#include "delta/hashed_chunks.h"

namespace millrace {

Result<Digest> source_root(const Source& source, Hasher& hasher) {
  static constexpr std::uint64_t kBlockBytes = 4u << 20;
  ChunkTreeBuilder builder;
  Buffer block;
  for (std::uint64_t offset = 0; offset < source.size();) {
    block.resize(std::min(kBlockBytes, source.size() - offset));
    MILLRACE_TRY(source.read_at(offset, block));
    const bool is_last = offset + block.size() == source.size();
    const HashedChunks cut = cut_and_hash(block, is_last ? Tail::kEndOfFile : Tail::kMoreFollows, hasher);
    for (std::size_t i = 0; i < cut.contents.size(); ++i)
      builder.add(static_cast<std::uint32_t>(cut.contents[i].size()), cut.digests[i], hasher);
    offset += cut.covered;
  }
  return builder.finish(hasher).root;
}

}  // namespace millrace
