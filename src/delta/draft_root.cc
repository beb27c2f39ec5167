#include "delta/draft_root.h"

#include "delta/chunk_tree.h"

namespace millrace {

Result<Digest> root_of(const Draft& draft, Hasher& hasher) {
  ChunkTreeBuilder builder(kOnlyRoot);
  for (std::uint64_t i = 0; i < draft.chunk_count(); ++i) {
    MILLRACE_ASSIGN(const Chunk chunk, draft.chunk_at(i));
    builder.add(chunk.length, chunk.digest, hasher);
  }
  return builder.finish(hasher).root;
}

}  // namespace millrace
