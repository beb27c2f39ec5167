// The chunk lists of stored versions, by root. A disposable index: each list carries a checksum, and one that is
// missing or damaged is made again from the file. Layout, little-endian: "MRCL", version 1, the count in 8 bytes, then
// {length 4, digest 32, XXH3 8} for each chunk, then the XXH3 of all of that.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "delta/chunk_runs.h"

namespace millrace {

inline constexpr std::size_t kIndexBytesPerChunk = 44;
/// Longer lists go to a side file.
inline constexpr std::size_t kMaxRowIndexBytes = 64 * 1024;

Buffer encode_chunk_list(const ChunkRuns& chunks);
Buffer encode_chunk_list(const ChunkList& chunks);
/// Errors: kIntegrity for anything that encode_chunk_list did not write.
Result<ChunkList> decode_chunk_list(ByteView bytes);

}  // namespace millrace
