// A small target, read, cut, hashed and coded before its upload begins: a job can prepare many of them, and the upload
// sends all it has at once. Without it each small file's upload has a job for each of these steps.
#pragma once

#include <vector>

#include "delta/chunk_tree.h"
#include "delta/patch_writer.h"
#include "delta/segment_codec.h"
#include "delta/source.h"

namespace millrace {

struct PreparedTarget {
  ChunkTree tree;
  std::vector<TargetChunk> chunks;
  Buffer patch;  ///< the whole of it, without a basis
  std::uint64_t literal_bytes = 0;
  std::uint64_t zero_bytes = 0;
};

/// Reads all of `target` into memory. `level` of zstd, 0: raw. For a worker. Errors: the source's, the codec's.
Result<PreparedTarget> prepare_target(const Source& target, Hasher& hasher, SegmentCodec& codec, int level);

}  // namespace millrace
