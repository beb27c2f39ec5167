// Variable-length integers (LEB128, least significant group first, at most 10 bytes) and a reader that never runs
// past its bytes. Signed values are zigzag-coded. Overlong forms are refused, so every value has one encoding.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/error.h"

namespace millrace {

void append_varint(Buffer& to, std::uint64_t value);
std::size_t varint_size(std::uint64_t value);

inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

/// Reads from a view that the caller keeps alive. Every error is kProtocol: the bytes came from a peer or a file.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}

  Result<std::uint64_t> varint();
  /// A varint that must be at most `limit` (else kTooLarge).
  Result<std::uint64_t> varint_up_to(std::uint64_t limit, const char* what);
  Result<ByteView> take(std::size_t count);
  bool done() const { return position_ == bytes_.size(); }
  std::size_t remaining() const { return bytes_.size() - position_; }
  std::size_t position() const { return position_; }

 private:
  ByteView bytes_;
  std::size_t position_ = 0;
};

}  // namespace millrace
