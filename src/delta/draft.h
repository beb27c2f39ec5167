// A version being built, chunk by chunk in target order. The receiver of a patch writes into it; what is behind it
// is a staging file, a client's temporary file or a test's buffer.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "delta/chunk.h"

namespace millrace {

/// Used by one thread at a time. After a failed call the draft may only be dropped.
class Draft {
 public:
  virtual ~Draft() = default;
  /// Appends `count` chunks of the basis, from chunk `first` on, copying them with a check of their content.
  /// Errors: kIntegrity when the basis no longer has that content; kUsage when the range is not in the basis.
  virtual Status keep(std::uint64_t first, std::uint64_t count) = 0;
  /// Appends consecutive new chunks, whose content (already verified or hashed by the caller) stands back to back in
  /// `content`. Chunks that are all zero should become holes.
  virtual Status add(std::span<const Chunk> chunks, ByteView content) = 0;
  /// Appends the same all-zero chunk `count` times as a hole.
  virtual Status add_zeros(const Chunk& chunk, std::uint64_t count) = 0;
  /// Overwrites a chunk that was added before, at its index in the target, by another of the same length.
  virtual Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) = 0;
  /// Reads back what was kept or added so far.
  virtual Status read_at(std::uint64_t offset, MutableBytes into) const = 0;
  virtual std::uint64_t size() const = 0;         ///< bytes so far
  virtual std::uint64_t chunk_count() const = 0;  ///< chunks so far
  /// The chunk at `index` as it was kept or added.
  virtual Result<Chunk> chunk_at(std::uint64_t index) const = 0;
};

}  // namespace millrace
