#include "server/api/draft_writer.h"

#include "delta/chunker.h"

namespace millrace {

Status DraftWriter::add(ByteView bytes, bool is_last) {
  append(carried_, bytes);
  std::vector<std::uint32_t> lengths;
  const std::size_t covered = cut_chunks(carried_, is_last ? Tail::kEndOfFile : Tail::kMoreFollows, lengths);
  std::vector<ByteView> pieces;
  ByteView rest = ByteView(carried_).first(covered);
  for (const std::uint32_t length : lengths) {
    pieces.push_back(rest.first(length));
    rest = rest.subspan(length);
  }
  std::vector<Digest> digests(pieces.size());
  hasher_->hash_all(pieces, digests);
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    chunks.push_back({digests[i], 0, lengths[i]});
    builder_.add(lengths[i], digests[i], *hasher_);
  }
  if (!chunks.empty()) MILLRACE_TRY(draft_->add(chunks, ByteView(carried_).first(covered)));
  carried_.erase(carried_.begin(), carried_.begin() + static_cast<std::ptrdiff_t>(covered));
  return {};
}

Result<Digest> DraftWriter::finish() {
  MILLRACE_TRY(add({}, true));
  return builder_.finish(*hasher_).root;
}

}  // namespace millrace
