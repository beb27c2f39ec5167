// The two visitors that a message's description names its fields to: one writes them, the other reads them. And how
// values that are no numbers and texts are coded.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "store/store.h"
#include "wire/fields.h"
#include "wire/messages.h"

namespace millrace::wire {

inline constexpr std::size_t kMaxText = 64 * 1024;

inline Buffer coded(const Digest& digest) {
  return Buffer(digest.bytes.begin(), digest.bytes.end());
}

inline Buffer coded(const VersionToken& token) {
  Buffer out;
  append_le(out, token.epoch);
  append(out, token.root.bytes);
  append_varint(out, token.sequence);
  return out;
}

inline Buffer coded(const Expected& expected) {
  Buffer out{static_cast<Byte>(expected.kind)};
  if (expected.kind == Expected::Kind::kRoot) append(out, expected.root.bytes);
  return out;
}

inline Buffer coded(const UploadId& id) {
  return Buffer(id.begin(), id.end());
}

inline Status decode_value(ByteView value, Digest& into) {
  if (value.size() != into.bytes.size()) return fail(Code::kProtocol, "A digest has the wrong length.");
  std::copy(value.begin(), value.end(), into.bytes.begin());
  return {};
}

inline Status decode_value(ByteView value, VersionToken& into) {
  Reader reader(value);
  MILLRACE_ASSIGN(const ByteView epoch, reader.take(8));
  into.epoch = load_le<std::uint64_t>(epoch.data());
  MILLRACE_ASSIGN(const ByteView root, reader.take(32));
  MILLRACE_TRY(decode_value(root, into.root));
  MILLRACE_ASSIGN(into.sequence, reader.varint());
  if (!reader.done()) return fail(Code::kProtocol, "A version token has bytes left over.");
  return {};
}

inline Status decode_value(ByteView value, Expected& into) {
  Reader reader(value);
  MILLRACE_ASSIGN(const ByteView kind, reader.take(1));
  if (kind[0] > 2) return fail(Code::kProtocol, "An expectation is of an unknown kind.");
  into.kind = static_cast<Expected::Kind>(kind[0]);
  const std::size_t root_bytes = into.kind == Expected::Kind::kRoot ? into.root.bytes.size() : 0;
  if (reader.remaining() != root_bytes) return fail(Code::kProtocol, "An expectation has the wrong length.");
  if (root_bytes == 0) return {};
  MILLRACE_ASSIGN(const ByteView root, reader.take(root_bytes));
  return decode_value(root, into.root);
}

inline Status decode_value(ByteView value, UploadId& into) {
  if (value.size() != into.size()) return fail(Code::kProtocol, "An upload id has the wrong length.");
  std::copy(value.begin(), value.end(), into.begin());
  return {};
}

class Write {
 public:
  template <typename Integer>
  void number(std::uint32_t id, const Integer& value, Integer standard = 0) {
    writer_.number(id, static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(standard));
  }
  void flag(std::uint32_t id, const bool& value) { writer_.number(id, value ? 1 : 0); }
  void signed_number(std::uint32_t id, const std::int64_t& value) { writer_.number(id, zigzag(value)); }
  void text(std::uint32_t id, const std::string& value) { writer_.text(id, value); }
  void texts(std::uint32_t id, const std::vector<std::string>& values) {
    for (const std::string& value : values) writer_.bytes(id, as_bytes(value));
  }
  template <typename Value>
  void value(std::uint32_t id, const Value& value) {
    writer_.bytes(id, coded(value));
  }
  template <typename Value>
  void optional(std::uint32_t id, const std::optional<Value>& value) {
    if (value) writer_.bytes(id, coded(*value));
  }
  void version(std::uint32_t id, const std::optional<Version>& version) {
    if (!version) return;
    writer_.bytes(id, coded(version->token));
    writer_.number(id + 1, version->bytes);
    writer_.number(id + 2, zigzag(version->attributes.mtime_ns));
    writer_.number(id + 3, version->attributes.mode, Attributes{}.mode);
  }
  template <typename Message>
  void nested(std::uint32_t id, const std::vector<Message>& messages);
  Buffer take() { return writer_.take(); }

 private:
  FieldWriter writer_;
};

/// Reads one field at a time: of all that a description names, the one with the field's number takes its value.
class Read {
 public:
  explicit Read(const Field& field) : field_(field) {}

  template <typename Integer>
  void number(std::uint32_t id, Integer& value, Integer = 0) {
    if (!mine(id)) return;
    const auto read = field_.as_number(std::numeric_limits<Integer>::max());
    if (read) {
      value = static_cast<Integer>(*read);
    } else {
      status_ = fail(read.error());
    }
  }
  void flag(std::uint32_t id, bool& value) {
    std::uint8_t number = 0;
    if (!mine(id)) return;
    this->number(id, number);
    value = number != 0;
  }
  void signed_number(std::uint32_t id, std::int64_t& value) {
    std::uint64_t raw = 0;
    if (!mine(id)) return;
    number(id, raw);
    value = unzigzag(raw);
  }
  void text(std::uint32_t id, std::string& value) {
    if (!mine(id)) return;
    auto read = field_.as_string(kMaxText);
    if (read) {
      value = std::move(*read);
    } else {
      status_ = fail(read.error());
    }
  }
  void texts(std::uint32_t id, std::vector<std::string>& values) {
    if (!mine(id) || full(values.size())) return;
    values.emplace_back();
    text(id, values.back());
  }
  template <typename Value>
  void value(std::uint32_t id, Value& value) {
    if (mine(id)) status_ = decode_value(field_.value, value);
  }
  template <typename Value>
  void optional(std::uint32_t id, std::optional<Value>& value) {
    if (!mine(id)) return;
    value.emplace();
    status_ = decode_value(field_.value, *value);
  }
  void version(std::uint32_t id, std::optional<Version>& version) {
    if (field_.number < id || field_.number > id + 3) return;
    if (!version) version.emplace();
    value(id, version->token);
    number(id + 1, version->bytes);
    signed_number(id + 2, version->attributes.mtime_ns);
    number(id + 3, version->attributes.mode);
  }
  template <typename Message>
  void nested(std::uint32_t id, std::vector<Message>& messages);

  bool known() const { return known_; }
  Status status() const { return status_; }

 private:
  bool full(std::size_t count) {
    if (count < kMaxRepeated) return false;
    status_ = fail(Code::kTooLarge, "A field is repeated more than " + std::to_string(kMaxRepeated) + " times.");
    return true;
  }
  bool mine(std::uint32_t id) {
    known_ = known_ || field_.number == id;
    return field_.number == id;
  }
  const Field& field_;
  bool known_ = false;
  Status status_;
};

}  // namespace millrace::wire
