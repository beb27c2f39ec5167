#include "store/upload_attempts.h"

#include "base/path.h"

namespace millrace {

Result<std::shared_ptr<std::atomic<bool>>> UploadAttempts::take_over(const DraftRequest& request) {
  if (request.upload_id == UploadId{}) return std::make_shared<std::atomic<bool>>(false);
  const std::lock_guard lock(mutex_);
  if (open_.size() > 2 * after_sweep_ + 16) {
    std::erase_if(open_, [](const auto& entry) { return entry.second.superseded.use_count() == 1; });
    after_sweep_ = open_.size();
  }
  Attempt& attempt = open_[{request.path, request.upload_id}];
  if (attempt.superseded.use_count() == 1) attempt.superseded.reset();  // its draft has ended
  if (attempt.superseded && request.attempt < attempt.number)
    return fail(Code::kConflict, "A newer attempt to upload '" + printable(request.path) + "' is under way.");
  if (attempt.superseded) *attempt.superseded = true;
  attempt = {request.attempt, std::make_shared<std::atomic<bool>>(false)};
  return attempt.superseded;
}

}  // namespace millrace
