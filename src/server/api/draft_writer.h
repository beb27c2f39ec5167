// Cuts what comes into chunks, hashes them and adds them to a draft. For a worker; one call at a time.
#pragma once

#include <memory>

#include "delta/chunk_tree.h"
#include "delta/draft.h"

namespace millrace {

class DraftWriter {
 public:
  DraftWriter(std::shared_ptr<Draft> draft, std::unique_ptr<Hasher> hasher)
      : draft_(std::move(draft)), hasher_(std::move(hasher)) {}
  /// Errors: the draft's.
  Status write(ByteView bytes) { return add(bytes, false); }
  /// Nothing follows. The root of all that was written.
  Result<Digest> finish();

 private:
  Status add(ByteView bytes, bool is_last);
  std::shared_ptr<Draft> draft_;
  std::unique_ptr<Hasher> hasher_;
  ChunkTreeBuilder builder_;
  Buffer carried_;  ///< the beginning of a chunk
};

}  // namespace millrace
