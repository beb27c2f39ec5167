// The chunks of a whole content.
#pragma once

#include "codec/sha256.h"
#include "delta/chunk_tree.h"
#include "delta/chunker.h"

namespace millrace::test {

inline ChunkList chunks_of(ByteView content) {
  std::vector<std::uint32_t> lengths;
  cut_chunks(content, Tail::kEndOfFile, lengths);
  const auto hasher = make_sha256();
  ChunkList chunks;
  for (const std::uint32_t length : lengths) {
    chunks.push_back({hasher->hash(content.first(length)), 0, length});
    content = content.subspan(length);
  }
  return chunks;
}

}  // namespace millrace::test
