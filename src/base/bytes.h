// Bytes: a view to look at them, a buffer to own them. Nothing here allocates behind the caller's back.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

using Byte = std::uint8_t;
using ByteView = std::span<const Byte>;
using MutableBytes = std::span<Byte>;

/// Leaves new elements as they are in memory: a buffer is always filled right after it was made, and clearing gigabytes
/// first shows in every profile. Write Buffer(n, Byte{0}) where zeros are wanted.
template <typename T>
struct UninitializedAllocator : std::allocator<T> {
  template <typename U>
  struct rebind {
    using other = UninitializedAllocator<U>;
  };
  template <typename U>
  void construct(U* place) noexcept {
    ::new (static_cast<void*>(place)) U;
  }
  template <typename U, typename... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }
};
using Buffer = std::vector<Byte, UninitializedAllocator<Byte>>;

/// Bytes shared between a job, a queue and a socket without copying; `owner` keeps `view` alive.
struct SharedBytes {
  std::shared_ptr<const void> owner;
  ByteView view;

  static SharedBytes of(Buffer bytes) {
    auto held = std::make_shared<const Buffer>(std::move(bytes));
    return {held, ByteView(*held)};
  }
};

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const Byte*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void append(Buffer& to, ByteView bytes) {
  if (bytes.empty()) return;
  const std::size_t old = to.size();
  to.resize(old + bytes.size());
  std::memcpy(to.data() + old, bytes.data(), bytes.size());
}

/// Unaligned little-endian loads and stores: the byte order of everything on the wire and in index files.
template <typename Integer>
Integer load_le(const Byte* from) {
  static_assert(std::is_unsigned_v<Integer>);
  Integer value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && sizeof(Integer) == 8) return __builtin_bswap64(value);
  if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && sizeof(Integer) == 4) return __builtin_bswap32(value);
  return value;
}

template <typename Integer>
void store_le(Byte* to, Integer value) {
  static_assert(std::is_unsigned_v<Integer>);
  if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && sizeof(Integer) == 8) value = __builtin_bswap64(value);
  if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && sizeof(Integer) == 4) value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof value);
}

template <typename Integer>
void append_le(Buffer& to, Integer value) {
  Byte raw[sizeof value];
  store_le(raw, value);
  append(to, raw);
}

/// True when every byte is zero. An empty view counts as zero.
inline bool all_zero(ByteView bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace millrace
