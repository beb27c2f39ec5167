#include "server/api/draft_writer.h"

#include "delta/hashed_chunks.h"

namespace millrace {

Status DraftWriter::add(ByteView bytes, bool is_last) {
  append(carried_, bytes);
  const HashedChunks cut = cut_and_hash(carried_, is_last ? Tail::kEndOfFile : Tail::kMoreFollows, *hasher_);
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < cut.contents.size(); ++i) {
    chunks.push_back({cut.digests[i], 0, static_cast<std::uint32_t>(cut.contents[i].size())});
    builder_.add(chunks.back().length, cut.digests[i], *hasher_);
  }
  if (!chunks.empty()) MILLRACE_TRY(draft_->add(chunks, ByteView(carried_).first(cut.covered)));
  carried_.erase(carried_.begin(), carried_.begin() + static_cast<std::ptrdiff_t>(cut.covered));
  return {};
}

Result<Digest> DraftWriter::finish() {
  MILLRACE_TRY(add({}, true));
  return builder_.finish(*hasher_).root;
}

}  // namespace millrace
