// The server's side of an upload of a small file that comes whole: nothing runs before all of it has arrived, and then
// one job looks up what is there, builds the new version, proves it and commits it. With a job for each of these steps
// the hand-overs between threads cost more than the work.
#pragma once

#include <memory>

#include "sync/server_conversations.h"

namespace millrace {

inline constexpr std::uint64_t kMaxSmallUpload = 64u << 10;  ///< bytes of content, held in memory until all is there

inline bool is_small_upload(const wire::UploadFields& request) {
  return !request.size_unknown && request.bytes <= kMaxSmallUpload;
}

/// `request` is one for which is_small_upload() holds. Holds at most its content, coded as it came.
std::shared_ptr<Conversation> make_small_upload_server(StreamPort& port, const ServerContext& context,
                                                       const Principal& principal, wire::UploadFields request);

}  // namespace millrace
