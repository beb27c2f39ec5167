#include "delta/signature_cache.h"

#include <utility>

namespace millrace {

namespace {

constexpr std::size_t kRemembered = 1 << 13;  ///< keys that were missed; 64 KiB

}  // namespace

std::size_t SignatureCache::KeyHash::operator()(const Key& key) const {
  std::uint64_t hash = key.root.prefix() ^ key.seed;
  for (const std::uint64_t word : {key.offset, std::uint64_t{key.length} << 32 | key.block_bytes})
    hash = (hash ^ word ^ hash >> 29) * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>(hash ^ hash >> 32);
}

std::size_t SignatureCache::bytes_of(const Entry& entry) {
  constexpr std::size_t kBookkeeping = sizeof(Entry) + sizeof(Key) + 96;  // nodes of list and map, control block
  return kBookkeeping + entry.values->size() * sizeof(std::uint64_t);
}

SignatureCache::SignatureCache(std::size_t most_bytes)
    : most_bytes_(most_bytes), missed_(most_bytes > 0 ? kRemembered : 0) {}

SignatureCache::Values SignatureCache::find(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) {
    ++counts_.misses;
    return nullptr;
  }
  ++counts_.hits;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->values;
}

void SignatureCache::keep(const Key& key, Values values) {
  const std::lock_guard lock(mutex_);
  Entry entry{key, std::move(values)};
  const std::size_t bytes = bytes_of(entry);
  if (bytes > most_bytes_ || index_.contains(key)) return;
  const std::uint64_t fingerprint = KeyHash()(key) | 1;
  std::uint64_t& place = missed_[fingerprint / 2 % missed_.size()];
  if (std::exchange(place, fingerprint) != fingerprint) return;
  entries_.push_front(std::move(entry));
  index_.emplace(key, entries_.begin());
  counts_.bytes += bytes;
  while (counts_.bytes > most_bytes_) {
    counts_.bytes -= bytes_of(entries_.back());
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

SignatureCache::Counts SignatureCache::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace millrace
