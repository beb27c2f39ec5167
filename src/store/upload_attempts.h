// Which uploads have a draft open: a newer attempt of the same upload ends the one before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "store/store.h"

namespace millrace {

/// Any thread.
class UploadAttempts {
 public:
  /// Ends the open attempt of the same upload, if this one is not older. Gives what will end this one; whoever holds it
  /// is open. Errors: kConflict when a newer attempt is open.
  Result<std::shared_ptr<std::atomic<bool>>> take_over(const DraftRequest& request);

 private:
  struct Attempt {
    std::uint64_t number = 0;
    std::shared_ptr<std::atomic<bool>> superseded;  ///< shared with the draft, whose end it shows
  };
  std::mutex mutex_;
  std::map<std::pair<std::string, UploadId>, Attempt> open_;  ///< and some that have ended
  std::size_t after_sweep_ = 0;                               ///< entries of open_ that the last sweep left
};

}  // namespace millrace
