// A version that is open for reading: its inode stays readable whatever happens to the path.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "base/shared_tally.h"
#include "delta/chunk_runs.h"
#include "store/catalogue.h"
#include "store/durable_names.h"
#include "store/open_files.h"
#include "store/partial_uploads.h"
#include "store/trash.h"
#include "store/unsettled.h"

namespace millrace {

/// On disk the owner keeps read and write, so that the server can go on with the file.
inline std::uint32_t disk_mode(const Attributes& attributes) {
  return (attributes.mode & 0777) | 0600;
}

inline constexpr std::size_t kOpenFiles = 256;  ///< of the store that stay open between jobs

/// What was refused for want of room.
struct QuotaRefusals {
  SharedTally bytes;  ///< of an account's
  SharedTally files;  ///< likewise
  SharedTally disk;   ///< announced larger than what the disk has left
};

/// What the parts of a directory store share.
struct StoreParts {
  DataFolder folder;
  std::unique_ptr<Catalogue> catalogue;
  Durability durability = Durability::kFull;
  HasherFactory hasher;
  std::function<std::int64_t()> now_ns;                          ///< wall clock
  std::function<void(const std::string& sentence)> report = {};  ///< for the operator; may be empty
  OpenFiles files{kOpenFiles};
  Readers readers;
  std::unique_ptr<PartialUploads> partials;
  std::unique_ptr<Trash> trash;
  Unsettled unsettled;
  QuotaRefusals quota_refusals;
  SharedTally checked_bytes;  ///< of kept chunks that were compared with their XXH3
  DurableNames durable_names;
  std::mutex mutex;  ///< the store's lock: one group of commits, move, delete or indexing at a time
  Disk& disk() { return *folder.disk; }
  /// Removes what can be done without, until so many bytes are free: what is left of uploads first, then the trash.
  /// Nothing where all of that would not be enough. False when nothing was removed.
  bool make_room(std::uint64_t bytes);
  /// Keeps a chunk list: short ones in the catalogue, long ones in a side file named by the root. A disposable index:
  /// losing it costs time only, so where it cannot be kept that is reported, once, and nothing else.
  void put_chunks(const Digest& root, const ChunkList& chunks);
  /// The same for a list that becomes part of a transaction: a long one is written, a short one returned as the row for
  /// Catalogue::put_chunk_list, empty otherwise. The transaction must follow within ChunkListSweep::kLeastAge.
  Buffer chunk_row(const Digest& root, const ChunkList& chunks);
  Buffer chunk_row(const Digest& root, const ChunkRuns& chunks);
  Result<std::optional<ChunkList>> chunks(const Digest& root);

 private:
  Buffer row_of(const Digest& root, Buffer list);
  Status keep_aside(const Digest& root, ByteView list);
  void report_lost(const Error& error);
  std::atomic<bool> has_lost_lists_ = false;
};

class OpenVersion final : public StoredFile {
 public:
  OpenVersion(std::shared_ptr<StoreParts> parts, std::string path, const Row& row)
      : parts_(std::move(parts)),
        path_(std::move(path)),
        version_(row.version),
        reader_(parts_->readers.add(path_, id_of(row.stat))) {}
  ~OpenVersion() override { parts_->files.forget(reader_->id); }
  /// For one job. Errors: kSourceChanged when another program put something else in its place.
  Result<std::shared_ptr<const File>> file() const;
  const Version& version() const override { return version_; }
  std::uint64_t size() const override { return version_.bytes; }
  Status read_at(std::uint64_t offset, MutableBytes into) const override;
  Result<std::shared_ptr<const ChunkList>> chunks() const override;
  const std::string& path() const { return path_; }

 private:
  std::shared_ptr<StoreParts> parts_;
  std::string path_;
  Version version_;
  std::shared_ptr<Readers::Reader> reader_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const ChunkList> chunks_;
};

}  // namespace millrace
