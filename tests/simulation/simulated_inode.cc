#include "simulation/simulated_inode.h"

#include <algorithm>

namespace millrace::simulation {

void Inode::remember(std::uint64_t first_block, std::uint64_t end_block) {
  for (std::uint64_t block = first_block; block < end_block; ++block) {
    if (unsynced.contains(block)) continue;
    if (const auto found = lost.find(block); found != lost.end()) {
      unsynced.emplace(block, std::move(found->second));
      lost.erase(found);
      continue;
    }
    const std::uint64_t from = std::min<std::uint64_t>(block * kBlock, content.size());
    const std::uint64_t to = std::min<std::uint64_t>(from + kBlock, content.size());
    unsynced.emplace(block, Buffer(content.begin() + static_cast<std::ptrdiff_t>(from),
                                   content.begin() + static_cast<std::ptrdiff_t>(to)));
  }
}

void Inode::write(std::uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  const std::uint64_t end = offset + bytes.size();
  remember(offset / kBlock, (end + kBlock - 1) / kBlock);
  if (end > content.size()) content.resize(end, Byte{0});
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
  now.bytes = content.size();
}

void Inode::truncate(std::uint64_t bytes) {
  const std::uint64_t before = content.size();
  if (bytes < before) remember(bytes / kBlock, (before + kBlock - 1) / kBlock);
  content.resize(bytes, Byte{0});
  now.bytes = bytes;
}

void Inode::fsync() {
  unsynced.clear();
  flushed = now;
}

void Inode::fail_fsync() {
  for (auto& [block, had] : unsynced) lost.try_emplace(block, std::move(had));
  unsynced.clear();
}

void Inode::cut_power(SeededRandom& random, std::uint64_t keep) {
  const auto is_kept = [&] { return random.below(100) < keep; };
  for (auto& [block, had] : lost) unsynced.try_emplace(block, std::move(had));
  lost.clear();
  const std::uint64_t bytes = is_kept() ? now.bytes : flushed.bytes;
  if (!is_kept()) now.mode = flushed.mode;
  if (!is_kept()) now.mtime_ns = flushed.mtime_ns;
  if (!is_kept()) now.ctime_ns = flushed.ctime_ns;
  const std::uint64_t had_bytes = content.size();
  content.resize(bytes, Byte{0});
  now.bytes = bytes;
  for (const auto& [block, had] : unsynced) {
    const bool was_cut_off = (block + 1) * kBlock > had_bytes && bytes > had_bytes;
    if (!was_cut_off && is_kept()) continue;
    const bool is_torn = !was_cut_off && random.below(4) == 0;
    for (std::uint64_t at = block * kBlock; at < std::min((block + 1) * kBlock, bytes); at += kSector) {
      if (is_torn && random.below(2) == 0) continue;
      for (std::uint64_t i = at; i < std::min({at + kSector, (block + 1) * kBlock, bytes}); ++i) {
        const std::uint64_t inside = i - block * kBlock;
        content[i] = inside < had.size() ? had[inside] : Byte{0};
      }
    }
  }
  fsync();
}

}  // namespace millrace::simulation
