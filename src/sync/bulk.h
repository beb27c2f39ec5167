// Collects the bulk bytes that a message announced out of its stream's DATA.
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "sync/stream.h"

namespace millrace {

constexpr std::uint64_t kMaxBulkBytes = 64u << 20;  ///< what a client takes at once
constexpr std::uint64_t kMaxBitsBytes = 4u << 20;   ///< of a client's answers to hashes

class Bulk {
 public:
  /// Errors: kTooLarge over `limit`, kProtocol for none, which would never be complete.
  Status expect(std::uint64_t bytes, std::uint64_t limit) {
    if (bytes == 0) return fail(Code::kProtocol, "A message announced no bytes where some belong to it.");
    if (bytes > limit)
      return fail(Code::kTooLarge, "An announced bulk of " + std::to_string(bytes) + " bytes is over the limit of " +
                                       std::to_string(limit) + ".");
    wanted_ = bytes;
    held_.clear();
    charge_ = {};
    active_ = true;
    return {};
  }
  bool active() const { return active_; }
  bool complete() const { return active_ && held_.size() == wanted_; }
  /// Takes what belongs to the bulk from the front of `bytes`; returns how much, for the caller to give its credit
  /// back.
  std::size_t feed(ByteView& bytes) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(wanted_ - held_.size(), bytes.size()));
    append(held_, bytes.first(count));
    bytes = bytes.subspan(count);
    return count;
  }
  /// As above, and gives the credit back at once.
  void feed(ByteView& bytes, StreamPort& port) {
    const std::size_t count = feed(bytes);
    if (charge_.bytes() == 0) charge_ = port.charge(0);
    charge_.resize(held_.size());
    port.release_credit(count);
  }
  Buffer take() {
    active_ = false;
    charge_ = {};
    return std::move(held_);
  }

 private:
  bool active_ = false;
  std::uint64_t wanted_ = 0;
  Buffer held_;
  MemoryCharge charge_;
};

}  // namespace millrace
