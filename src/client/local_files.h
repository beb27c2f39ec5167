// A client's local files, read as a source.
#pragma once

#include <array>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

#include "client/local_folder.h"
#include "delta/source.h"
#include "store/store.h"

struct stat;

namespace millrace {

/// What a client sends: content and what goes with it.
class LocalSource : public Source {
 public:
  virtual Attributes attributes() const = 0;
  /// False when what was read may be torn: the file was written to meanwhile, or another stands under its name.
  virtual bool unchanged() const = 0;
};

class FileSource final : public LocalSource {
 public:
  /// Errors: kNotFound, kNotAllowed, kUsage for a folder.
  static Result<std::shared_ptr<FileSource>> open(const std::string& path);
  /// The same, but a symbolic link is refused (kNotAllowed).
  static Result<std::shared_ptr<FileSource>> open(const LocalPlace& place);
  /// Takes over a descriptor of a regular file; `name` is for sentences. Errors: as above.
  static Result<std::shared_ptr<FileSource>> adopt(int descriptor, const std::string& name);
  ~FileSource() override;
  std::uint64_t size() const override { return bytes_; }
  /// Errors: kSourceChanged when the file is no longer as it was opened, the system's.
  Status read_at(std::uint64_t offset, MutableBytes into) const override;
  Attributes attributes() const override { return attributes_; }
  bool unchanged() const override;
  int descriptor() const { return descriptor_; }
  /// Mode and time of the open file only.
  Status set_attributes(const Attributes& attributes) const;

 private:
  FileSource() = default;
  Status look();
  bool same(const struct stat& stat) const;
  std::string path_;  ///< for sentences, and, without a folder, for stat
  std::optional<LocalPlace> place_;
  bool has_path_ = true;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  Attributes attributes_;
  std::int64_t ctime_ns_ = 0;
  std::uint64_t inode_ = 0;
  std::uint64_t device_ = 0;
};

/// A small file, read whole: it needs no descriptor any more.
class LoadedFile final : public LocalSource {
 public:
  /// Null where it is larger than `most`. Errors: kSourceChanged when it changed at every try; otherwise those of
  /// FileSource::open.
  static Result<std::shared_ptr<LoadedFile>> load(const LocalPlace& place, std::uint64_t most);
  std::uint64_t size() const override { return bytes_.size(); }
  Status read_at(std::uint64_t offset, MutableBytes into) const override { return bytes_.read_at(offset, into); }
  Attributes attributes() const override { return attributes_; }
  bool unchanged() const override { return true; }

 private:
  LoadedFile(Buffer bytes, const Attributes& attributes) : bytes_(std::move(bytes)), attributes_(attributes) {}
  BufferSource bytes_;
  Attributes attributes_;
};

/// For futimens and the like: the time of reading stays.
std::array<timespec, 2> times_of(const Attributes& attributes);
/// Mode and time only.
Status set_attributes(const std::string& path, const Attributes& attributes);

}  // namespace millrace
