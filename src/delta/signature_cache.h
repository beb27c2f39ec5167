// Block hashes of ranges that many clients ask about at once, such as a new version that all of them fetch: read and
// hashed once. Named by content, so it never goes stale.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/digest.h"

namespace millrace {

/// Any thread.
class SignatureCache {
 public:
  struct Key {
    Digest root;             ///< of the file
    std::uint64_t seed = 0;  ///< of the rolling hash
    std::uint64_t offset = 0;
    std::uint32_t length = 0;  ///< bytes of the range
    std::uint32_t block_bytes = 0;
    bool operator==(const Key&) const = default;
  };
  /// RollingHash::value() of each block of a range.
  using Values = std::shared_ptr<const std::vector<std::uint64_t>>;

  /// Keeps at most `most_bytes`, its own bookkeeping included; 0: nothing.
  explicit SignatureCache(std::size_t most_bytes);
  /// Null when it is not there.
  Values find(const Key& key);
  /// Kept if the key was asked for before: what is asked for once only makes nothing else leave.
  void keep(const Key& key, Values values);

  struct Counts {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::size_t bytes = 0;
  };
  Counts counts() const;

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Entry {
    Key key;
    Values values;
  };
  static std::size_t bytes_of(const Entry& entry);

  mutable std::mutex mutex_;
  const std::size_t most_bytes_;
  std::list<Entry> entries_;  ///< the most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> index_;
  std::vector<std::uint64_t> missed_;  ///< fingerprints of keys that were missed lately, each at its only place
  Counts counts_;
};

}  // namespace millrace
