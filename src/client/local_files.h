// A client's local files: read as a source, built as a draft beside the place where they end up.
#pragma once

#include <memory>

#include "delta/source.h"
#include "sync/download_client.h"

namespace millrace {

class FileSource final : public Source {
 public:
  /// Errors: kNotFound, kNotAllowed, kUsage for a folder.
  static Result<std::shared_ptr<FileSource>> open(const std::string& path);
  ~FileSource() override;
  std::uint64_t size() const override { return bytes_; }
  Status read_at(std::uint64_t offset, MutableBytes into) const override;
  Attributes attributes() const { return attributes_; }
  /// False when the file was written to since it was opened.
  bool unchanged() const;
  int descriptor() const { return descriptor_; }

 private:
  FileSource() = default;
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  Attributes attributes_;
  std::int64_t ctime_ns_ = 0;
};

/// Builds `path` in a hidden file beside it; commit() flushes, sets mode and time and renames.
Result<std::unique_ptr<DownloadDraft>> open_file_draft(const std::string& path, std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks, std::uint64_t random);

/// Mode and time only.
Status set_attributes(const std::string& path, const Attributes& attributes);

}  // namespace millrace
