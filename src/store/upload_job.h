// What staging/NAME.job says of the draft staging/NAME: whose it is, so that it can be found again after its connection
// or the server ended. Layout, little-endian: "MRJB", version 1, upload id 16, attempt 8, announced bytes 8, creation
// 8, inode 8, kind of expectation 1, its root 32, the path, then the XXH3 of all of that.
#pragma once

#include <string>

#include "store/store.h"

namespace millrace {

inline constexpr std::size_t kMaxJobBytes = 8192;

struct UploadJob {
  std::string path;  ///< below files/, the account included
  Expected expected;
  UploadId upload_id{};
  std::uint64_t attempt = 0;
  std::uint64_t announced_bytes = 0;
  std::int64_t created_ns = 0;  ///< since 1970
  std::uint64_t inode = 0;      ///< of the draft: after a commit another file may stand under its name
};

Buffer encode_upload_job(const UploadJob& job);
/// Errors: kIntegrity for anything that encode_upload_job did not write.
Result<UploadJob> decode_upload_job(ByteView bytes);

}  // namespace millrace
