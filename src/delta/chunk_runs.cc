#include "delta/chunk_runs.h"

#include <algorithm>

namespace millrace {

void ChunkRuns::add(const Chunk& chunk, std::uint64_t count) {
  if (count == 0) return;
  if (count > 1) runs_.push_back({size_, count, list_.size()});
  list_.push_back(chunk);
  size_ += count;
}

std::pair<std::size_t, bool> ChunkRuns::find(std::uint64_t index) const {
  const auto behind = std::upper_bound(runs_.begin(), runs_.end(), index,
                                       [](std::uint64_t at, const Run& run) { return at < run.first; });
  if (behind == runs_.begin()) return {static_cast<std::size_t>(index), false};
  const Run& run = *std::prev(behind);
  if (index - run.first < run.count) return {run.place, true};
  return {run.place + static_cast<std::size_t>(index - run.first - run.count) + 1, false};
}

const Chunk& ChunkRuns::at(std::uint64_t index) const {
  return list_[find(index).first];
}

bool ChunkRuns::replace(std::uint64_t index, const Chunk& chunk) {
  if (index >= size_) return false;
  const auto [place, is_run] = find(index);
  if (is_run) return false;
  list_[place] = chunk;
  return true;
}

std::uint64_t ChunkRuns::offset_of(std::uint64_t index) const {
  std::uint64_t offset = 0;
  std::uint64_t left = index;
  for_each([&](const Chunk& chunk, std::uint64_t count) {
    const std::uint64_t passed = std::min(left, count);
    offset += passed * chunk.length;
    left -= passed;
  });
  return offset;
}

}  // namespace millrace
