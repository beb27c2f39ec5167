// A folder with all that lies below it as one ZIP archive, made piece by piece. Blocks: for workers, one call at a
// time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "store/store.h"

struct archive;

namespace millrace {

class FolderArchive {
 public:
  static constexpr std::size_t kMostEntries = 100'000;  ///< their names are held until the end

  FolderArchive(std::shared_ptr<Store> store, Principal principal, std::string folder);
  ~FolderArchive();
  FolderArchive(const FolderArchive&) = delete;
  FolderArchive& operator=(const FolderArchive&) = delete;

  /// Finds out what belongs to it. Before next(). Errors: kTooLarge (more than kMostEntries), those of Store::list.
  Status list();
  /// Of all files together, as they were listed.
  std::uint64_t content_bytes() const { return content_bytes_; }
  /// What it holds in memory, about: names here, and again where they wait for the archive's end.
  std::uint64_t memory_bytes() const;

  /// Appends about `most` bytes to `out`; false once the archive is whole. Each file is its version of when its turn
  /// comes, whole and unmixed; one that is gone or no file any more by then is left out. Errors: those of Store::open
  /// and of reading.
  Result<bool> next(std::size_t most, Buffer& out);

 private:
  Status begin_entry(const Entry& entry);
  /// It is gone, or something else stands in its place.
  bool is_no_file_now(const Entry& entry) const;
  Status check(int code) const;

  const std::shared_ptr<Store> store_;
  const Principal principal_;
  const std::string folder_;
  std::vector<Entry> entries_;
  std::uint64_t content_bytes_ = 0;
  std::uint64_t name_bytes_ = 0;

  Buffer* out_ = nullptr;  ///< where the archive goes; null: nowhere

  struct Free {
    void operator()(archive* writer) const;
  };
  std::unique_ptr<archive, Free> writer_;
  std::size_t next_entry_ = 0;
  std::shared_ptr<const StoredFile> file_;  ///< that is being read
  std::uint64_t offset_ = 0;
  Buffer block_;
};

}  // namespace millrace
