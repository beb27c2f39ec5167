// A client's local files: read as a source, built as a draft beside the place where they end up.
#pragma once

#include <memory>
#include <string>

#include "delta/source.h"
#include "sync/download_client.h"

struct stat;

namespace millrace {

class FileSource final : public Source {
 public:
  /// Errors: kNotFound, kNotAllowed, kUsage for a folder.
  static Result<std::shared_ptr<FileSource>> open(const std::string& path);
  /// Takes over a descriptor of a regular file; `name` is for sentences. Errors: as above.
  static Result<std::shared_ptr<FileSource>> adopt(int descriptor, const std::string& name);
  ~FileSource() override;
  std::uint64_t size() const override { return bytes_; }
  /// Errors: kSourceChanged when the file is no longer as it was opened, the system's.
  Status read_at(std::uint64_t offset, MutableBytes into) const override;
  Attributes attributes() const { return attributes_; }
  /// False when the file was written to since it was opened, or another stands under its name.
  bool unchanged() const;
  int descriptor() const { return descriptor_; }

 private:
  FileSource() = default;
  Status look();
  bool same(const struct stat& stat) const;
  std::string path_;
  bool has_path_ = true;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  Attributes attributes_;
  std::int64_t ctime_ns_ = 0;
  std::uint64_t inode_ = 0;
  std::uint64_t device_ = 0;
};

/// Builds `path` in a file without a name (or a hidden one, where that is impossible) in the same folder; commit() sets
/// mode and time, flushes and renames. It refuses (kSourceChanged) to replace what is not `replaced` any more, or
/// anything where that is null. keep() copies from `basis`, whose chunks are `chunks`.
Result<std::unique_ptr<DownloadDraft>> open_file_draft(const std::string& path, std::shared_ptr<const Source> replaced,
                                                       std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks, std::uint64_t random);

/// Builds what goes to a pipe in the spool whose descriptor it takes over; commit() gives it no name.
std::unique_ptr<DownloadDraft> make_spool_draft(int descriptor);

/// Mode and time only.
Status set_attributes(const std::string& path, const Attributes& attributes);

}  // namespace millrace
