// The chunks of a draft, of which a run of equal ones takes the room of one: whoever names a hole of any length must
// not make us remember each of its chunks.
#pragma once

#include <span>
#include <utility>

#include "delta/chunk.h"

namespace millrace {

/// Memory: 48 bytes a chunk, 72 a run.
class ChunkRuns {
 public:
  void add(const Chunk& chunk) { add(chunk, 1); }
  void add(std::span<const Chunk> chunks) {
    for (const Chunk& chunk : chunks) add(chunk, 1);
  }
  /// The same chunk `count` times.
  void add(const Chunk& chunk, std::uint64_t count);
  std::uint64_t size() const { return size_; }
  /// `index` is below size().
  const Chunk& at(std::uint64_t index) const;
  /// Puts another chunk in the place of one that stands alone. False: there is no such chunk.
  bool replace(std::uint64_t index, const Chunk& chunk);
  /// Where the chunk at `index` begins, in bytes. Looks at all before it.
  std::uint64_t offset_of(std::uint64_t index) const;
  /// call(chunk, count) for all of them in order, `count` of each following one another.
  template <typename Call>
  void for_each(const Call& call) const {
    std::size_t run = 0;
    for (std::size_t place = 0; place < list_.size(); ++place) {
      const bool is_run = run < runs_.size() && runs_[run].place == place;
      call(list_[place], is_run ? runs_[run++].count : 1);
    }
  }

 private:
  struct Run {
    std::uint64_t first = 0;  ///< index of its first chunk
    std::uint64_t count = 0;
    std::size_t place = 0;  ///< in list_
  };
  /// The place in list_, and whether it is a run's.
  std::pair<std::size_t, bool> find(std::uint64_t index) const;

  ChunkList list_;         ///< of a run the first
  std::vector<Run> runs_;  ///< of more than one chunk
  std::uint64_t size_ = 0;
};

}  // namespace millrace
