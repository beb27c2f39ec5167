// Bytes cut into chunks, and the chunks' digests.
#pragma once

#include <span>
#include <vector>

#include "base/digest.h"
#include "delta/chunker.h"

namespace millrace {

struct HashedChunks {
  std::vector<ByteView> contents;  ///< views of the bytes that were cut
  std::vector<Digest> digests;
  std::size_t covered = 0;  ///< bytes: all chunks together
};

/// The chunks of these lengths that `bytes` begins with, hashed side by side where the hasher can.
HashedChunks hash_chunks(ByteView bytes, std::span<const std::uint32_t> lengths, Hasher& hasher);

/// All complete chunks of `bytes`, which start at a chunk's start.
HashedChunks cut_and_hash(ByteView bytes, Tail tail, Hasher& hasher);

}  // namespace millrace
