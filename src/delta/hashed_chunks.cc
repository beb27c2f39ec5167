#include "delta/hashed_chunks.h"

#include <optional>

namespace millrace {

HashedChunks hash_chunks(ByteView bytes, std::span<const std::uint32_t> lengths, Hasher& hasher) {
  HashedChunks out;
  out.contents.reserve(lengths.size());
  for (const std::uint32_t length : lengths) {
    out.contents.push_back(bytes.subspan(out.covered, length));
    out.covered += length;
  }
  // A long hole is the same chunk again and again.
  std::vector<ByteView> different;
  std::vector<std::size_t> places;
  std::optional<std::size_t> hole;
  for (const ByteView content : out.contents) {
    const bool is_hole = content.size() == kMaxChunkBytes && all_zero(content);
    places.push_back(is_hole && hole ? *hole : different.size());
    if (is_hole && hole) continue;
    if (is_hole) hole = different.size();
    different.push_back(content);
  }
  std::vector<Digest> digests(different.size());
  hasher.hash_all(different, digests);
  for (const std::size_t place : places) out.digests.push_back(digests[place]);
  return out;
}

HashedChunks cut_and_hash(ByteView bytes, Tail tail, Hasher& hasher) {
  std::vector<std::uint32_t> lengths;
  cut_chunks(bytes, tail, lengths);
  return hash_chunks(bytes, lengths, hasher);
}

}  // namespace millrace
