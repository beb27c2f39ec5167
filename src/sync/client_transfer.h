// What a client's transfers share: options, progress and the result.
#pragma once

#include <functional>
#include <optional>

#include "base/error.h"
#include "store/store.h"

namespace millrace {

struct TransferOptions {
  /// Rungs of the ladder at most; 0: only the chunk tree. Absent: the first, and more where the link makes them pay.
  std::optional<std::uint32_t> max_depth{};
  std::optional<int> level{};        ///< zstd level of literals; absent: by the link
  bool whole_file = false;           ///< no delta
  std::optional<Expected> expected;  ///< absent: what the server has when it is asked
};

struct TransferResult {
  Version version;
  std::uint64_t literal_bytes = 0;  ///< of content, before compression
  std::uint64_t matched_bytes = 0;  ///< of content that the other side had
  std::uint64_t zero_bytes = 0;     ///< of content that was runs of zeros
  std::uint32_t round_trips = 0;    ///< times that this side had nothing to do but wait for the server
  std::uint32_t repairs = 0;        ///< patches that had to be sent again in part or whole, because a match was false
  bool unchanged = false;
};

struct TransferProgress {
  const char* phase = "";        ///< "hashing", "comparing", "sending", "receiving"
  std::uint64_t done_bytes = 0;  ///< of `total_bytes` of content
  std::uint64_t total_bytes = 0;
};

using TransferDone = std::function<void(Result<TransferResult>)>;
using TransferObserver = std::function<void(const TransferProgress&)>;

}  // namespace millrace
