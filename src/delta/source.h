// Where file bytes come from, as the engine sees it: the client reads a local file, the server a stored version, a
// test a buffer. Jobs call it on worker threads; the pure layers never open anything themselves.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/error.h"

namespace millrace {

/// Random access to bytes that must not change while it is used. Safe to call from several threads at once.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::uint64_t size() const = 0;
  /// Fills `into` completely from `offset`, or fails: kSourceChanged when the file got shorter, kIntegrity, or the
  /// system's error.
  virtual Status read_at(std::uint64_t offset, MutableBytes into) const = 0;
};

/// A buffer as a source.
class BufferSource : public Source {
 public:
  explicit BufferSource(Buffer bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    if (offset > bytes_.size() || into.size() > bytes_.size() - offset) {
      return fail(Code::kSourceChanged, "The data ends before the requested range.");
    }
    if (!into.empty()) std::memcpy(into.data(), bytes_.data() + offset, into.size());
    return {};
  }

 private:
  Buffer bytes_;
};

}  // namespace millrace
