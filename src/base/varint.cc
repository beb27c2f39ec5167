#include "base/varint.h"

namespace millrace {

void append_varint(Buffer& to, std::uint64_t value) {
  while (value >= 0x80) {
    to.push_back(static_cast<Byte>(value | 0x80));
    value >>= 7;
  }
  to.push_back(static_cast<Byte>(value));
}

std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

Result<std::uint64_t> Reader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (done()) return fail(Code::kProtocol, "A number is cut short.");
    const Byte byte = bytes_[position_++];
    if (shift == 63 && byte > 1) return fail(Code::kProtocol, "A number does not fit into 64 bits.");
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) {
      if (byte == 0 && shift > 0) return fail(Code::kProtocol, "A number is written longer than needed.");
      return value;
    }
  }
  return fail(Code::kProtocol, "A number does not fit into 64 bits.");
}

Result<std::uint64_t> Reader::varint_up_to(std::uint64_t limit, const char* what) {
  MILLRACE_ASSIGN(const std::uint64_t value, varint());
  if (value > limit) {
    return fail(Code::kTooLarge,
                std::string(what) + " is " + std::to_string(value) + ", the limit is " + std::to_string(limit) + ".");
  }
  return value;
}

Result<ByteView> Reader::take(std::size_t count) {
  if (count > remaining()) return fail(Code::kProtocol, "A field is cut short.");
  const ByteView taken = bytes_.subspan(position_, count);
  position_ += count;
  return taken;
}

}  // namespace millrace
