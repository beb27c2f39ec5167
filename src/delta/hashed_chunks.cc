#include "delta/hashed_chunks.h"

namespace millrace {

HashedChunks hash_chunks(ByteView bytes, std::span<const std::uint32_t> lengths, Hasher& hasher) {
  HashedChunks out;
  out.contents.reserve(lengths.size());
  for (const std::uint32_t length : lengths) {
    out.contents.push_back(bytes.subspan(out.covered, length));
    out.covered += length;
  }
  out.digests.resize(lengths.size());
  hasher.hash_all(out.contents, out.digests);
  return out;
}

HashedChunks cut_and_hash(ByteView bytes, Tail tail, Hasher& hasher) {
  std::vector<std::uint32_t> lengths;
  cut_chunks(bytes, tail, lengths);
  return hash_chunks(bytes, lengths, hasher);
}

}  // namespace millrace
