#include "delta/chunker.h"

#include <algorithm>

#include "delta/gear.h"

namespace millrace {

std::size_t first_chunk_length(ByteView data, Tail tail) {
  const std::size_t end = std::min<std::size_t>(data.size(), kMaxChunkBytes);
  if (end > kMinChunkBytes) {
    const std::size_t last = gear::find_cut(data, kMinChunkBytes - 1, kNormalChunkBytes - 1, end);
    if (last != end) return last + 1;
    if (end == kMaxChunkBytes) return end;
  }
  return tail == Tail::kEndOfFile ? end : 0;
}

std::size_t cut_chunks(ByteView data, Tail tail, std::vector<std::uint32_t>& lengths) {
  std::size_t covered = 0;
  while (covered < data.size()) {
    const std::size_t length = first_chunk_length(data.subspan(covered), tail);
    if (length == 0) break;
    lengths.push_back(static_cast<std::uint32_t>(length));
    covered += length;
  }
  return covered;
}

bool is_valid_chunk(ByteView chunk, bool last_of_file) {
  if (chunk.empty() || chunk.size() > kMaxChunkBytes) return false;
  if (last_of_file || chunk.size() == kMaxChunkBytes) return true;
  if (chunk.size() < kMinChunkBytes) return false;
  std::uint32_t hash = 0;
  for (std::size_t at = chunk.size() - gear::kWindow; at < chunk.size(); ++at) hash = gear::roll(hash, chunk[at]);
  return (hash & (chunk.size() < kNormalChunkBytes ? gear::kStrictMask : gear::kLooseMask)) == 0;
}

}  // namespace millrace
