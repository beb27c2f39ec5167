// Tagged fields: {varint (number << 1 | must understand), varint length, value}. The writer leaves out what has its
// default.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/varint.h"

namespace millrace::wire {

class FieldWriter {
 public:
  void bytes(std::uint32_t number, ByteView value) {
    append_varint(out_, std::uint64_t{number} << 1);
    append_varint(out_, value.size());
    append(out_, value);
  }
  void text(std::uint32_t number, const std::string& value) {
    if (!value.empty()) bytes(number, as_bytes(value));
  }
  void number(std::uint32_t number, std::uint64_t value, std::uint64_t default_value = 0) {
    if (value == default_value) return;
    Buffer coded;
    append_varint(coded, value);
    bytes(number, coded);
  }
  Buffer take() { return std::move(out_); }

 private:
  Buffer out_;
};

struct Field {
  std::uint32_t number = 0;
  ByteView value;

  /// Errors: kProtocol when the value is not exactly one varint, kTooLarge over `limit`.
  Result<std::uint64_t> as_number(std::uint64_t limit = UINT64_MAX) const {
    Reader reader(value);
    MILLRACE_ASSIGN(const std::uint64_t result, reader.varint_up_to(limit, "A field's value"));
    if (!reader.done()) return fail(Code::kProtocol, "A number's field has bytes left over.");
    return result;
  }
  Result<std::string> as_string(std::size_t limit) const {
    if (value.size() > limit)
      return fail(Code::kTooLarge, "A text field is " + std::to_string(value.size()) + " bytes long, the limit is " +
                                       std::to_string(limit) + ".");
    return std::string(as_text(value));
  }
};

/// Calls `take` for each field; it returns false for a number that it does not know. Unknown fields with the
/// must-understand bit are an error.
inline Status read_fields(ByteView payload, const char* message,
                          const std::function<Result<bool>(const Field&)>& take) {
  Reader reader(payload);
  while (!reader.done()) {
    MILLRACE_ASSIGN(const std::uint64_t key, reader.varint_up_to(UINT32_MAX, "A field's key"));
    MILLRACE_ASSIGN(const std::uint64_t length, reader.varint());
    if (length > reader.remaining())
      return fail(Code::kProtocol, std::string("A field of ") + message + " is cut short.");
    MILLRACE_ASSIGN(const ByteView value, reader.take(static_cast<std::size_t>(length)));
    const Field field{static_cast<std::uint32_t>(key >> 1), value};
    MILLRACE_ASSIGN(const bool known, take(field));
    if (!known && (key & 1) != 0) {
      return fail(Code::kProtocol, std::string("Field ") + std::to_string(field.number) + " of " + message +
                                       " must be understood and is unknown here; use a newer version.");
    }
  }
  return {};
}

}  // namespace millrace::wire
