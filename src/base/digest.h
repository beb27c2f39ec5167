// A 256-bit digest and the interface through which the pure layers hash: they compile without a crypto library.
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace millrace {

struct Digest {
  std::array<Byte, 32> bytes{};

  bool operator==(const Digest&) const = default;
  std::strong_ordering operator<=>(const Digest& other) const {
    return std::memcmp(bytes.data(), other.bytes.data(), bytes.size()) <=> 0;
  }
  /// The first 8 bytes, little-endian: what truncated digests on the wire are cut from.
  std::uint64_t prefix() const { return load_le<std::uint64_t>(bytes.data()); }
  bool is_zero() const { return all_zero(bytes); }
};

/// 64 lower-case hexadecimal digits.
std::string to_hex(const Digest& digest);

struct DigestHash {
  std::size_t operator()(const Digest& digest) const { return static_cast<std::size_t>(digest.prefix()); }
};

/// One SHA-256 computation after another. An object belongs to one thread at a time.
class Hasher {
 public:
  virtual ~Hasher() = default;
  /// The digest of all bytes of `data`.
  virtual Digest hash(ByteView data) = 0;
  /// The digests of several pieces, as many as `digests` has room for: as hash() for each, faster where the CPU takes
  /// them side by side.
  virtual void hash_all(std::span<const ByteView> pieces, std::span<Digest> digests) {
    for (std::size_t i = 0; i < pieces.size(); ++i) digests[i] = hash(pieces[i]);
  }
};

/// Makes a hasher for the calling thread. Callable from any thread.
using HasherFactory = std::function<std::unique_ptr<Hasher>()>;

}  // namespace millrace
