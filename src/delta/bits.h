// Bit strings: truncated digests and bit maps on the wire, least significant bit first.
#pragma once

#include <algorithm>

#include "base/bytes.h"
#include "base/error.h"

namespace millrace {

class BitWriter {
 public:
  /// The low `width` bits of `value`, 0 to 64 of them.
  void put(std::uint64_t value, unsigned width) {
    for (unsigned done = 0; done < width;) {
      if (used_ == 0) bytes_.push_back(0);
      const unsigned count = std::min(8 - used_, width - done);
      bytes_.back() = static_cast<Byte>(bytes_.back() | (((value >> done) & ((1u << count) - 1)) << used_));
      used_ = (used_ + count) % 8;
      done += count;
    }
  }
  void put_bit(bool bit) { put(bit ? 1 : 0, 1); }
  std::size_t bytes() const { return bytes_.size(); }
  Buffer take() { return std::move(bytes_); }

 private:
  Buffer bytes_;
  unsigned used_ = 0;
};

/// Reads what BitWriter wrote; the caller keeps the bytes alive.
class BitReader {
 public:
  explicit BitReader(ByteView bytes) : bytes_(bytes) {}
  bool has(std::uint64_t width) const { return width <= bytes_.size() * 8 - at_; }
  /// Errors: kProtocol past the end.
  Result<std::uint64_t> get(unsigned width) {
    if (!has(width)) return fail(Code::kProtocol, "A bit string is cut short.");
    std::uint64_t value = 0;
    for (unsigned done = 0; done < width;) {
      const unsigned offset = at_ % 8;
      const unsigned count = std::min(8 - offset, width - done);
      value |= static_cast<std::uint64_t>((bytes_[at_ / 8] >> offset) & ((1u << count) - 1)) << done;
      at_ += count;
      done += count;
    }
    return value;
  }

 private:
  ByteView bytes_;
  std::size_t at_ = 0;
};

inline std::uint64_t low_bits(std::uint64_t value, unsigned width) {
  return width >= 64 ? value : value & ((std::uint64_t{1} << width) - 1);
}

}  // namespace millrace
