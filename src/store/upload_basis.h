// What an upload is compared with when an earlier attempt was cut off: the chunks of that partial, then those of the
// stored version, if there is one. The first has what travelled already, the second what never had to.
#pragma once

#include "store/partial_uploads.h"
#include "store/stored_file.h"

namespace millrace {

/// Not a version: its token is zero.
class UploadBasis final : public StoredFile {
 public:
  UploadBasis(std::shared_ptr<StoreParts> parts, std::shared_ptr<const PartialUploads::Lent> partial,
              std::shared_ptr<const StoredFile> stored);
  const Version& version() const override { return version_; }
  std::uint64_t size() const override { return version_.bytes; }
  Status read_at(std::uint64_t offset, MutableBytes into) const override;
  /// Reads the whole partial. One that cannot be read ends this upload and goes, so that the next does without it.
  Result<std::shared_ptr<const ChunkList>> chunks() const override;

 private:
  Result<std::shared_ptr<const File>> file() const;
  std::shared_ptr<StoreParts> parts_;
  std::shared_ptr<const PartialUploads::Lent> partial_;
  std::shared_ptr<Readers::Reader> reader_;  ///< of the version that the partial may have become
  std::shared_ptr<const StoredFile> stored_;
  Version version_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const ChunkList> chunks_;
};

/// `stored` may be null, and so may what is returned: then there is nothing to compare with.
std::shared_ptr<const StoredFile> upload_basis(const std::shared_ptr<StoreParts>& parts, const std::string& path,
                                               std::uint64_t announced_bytes, std::shared_ptr<const StoredFile> stored);

}  // namespace millrace
