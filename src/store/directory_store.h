// The plain-directory store: ordinary files under DIR/files, usable by any other program; DIR/staging, where versions
// are built; DIR/chunks and DIR/catalogue.sqlite. Versions become visible in groups, in this order: bytes flushed,
// those of small files put into the transaction instead; one durable transaction with the new rows and `pending` rows
// (the commit point); renames or exchanges; the acknowledgement. A checkpoint flushes the folders later and removes the
// pending rows and what was replaced. Opening the store redoes what is pending, then sweeps staging.
#pragma once

#include <filesystem>

#include "base/random.h"
#include "store/background_scan.h"
#include "store/commit_queue.h"
#include "store/partial_uploads.h"
#include "store/scrub.h"
#include "store/trash.h"

namespace millrace {

struct StoreOptions {
  Durability durability = Durability::kFull;
  Random random;  ///< never called twice at once; any thread
  HasherFactory hasher;
  std::function<std::int64_t()> wall_clock_ns;  ///< since 1970; tells whether a file changed too recently to be trusted
  std::function<void(const std::string& sentence)> report = nullptr;  ///< what the operator has to know; any thread
  std::optional<std::uint64_t> boot = std::nullopt;  ///< names this run of the machine; empty: the kernel's boot_id
  Committing committing = Committing::kInThreads;
  Committer::Due checkpoint_due = {};
  PartialLimits partials = {};
  TrashLimits trash = {};
  HasherFactory scrub_hasher = nullptr;  ///< empty: `hasher`
};

/// How the store stands, for the operator.
struct StoreFigures {
  Usage stored;
  std::uint64_t trash_bytes = 0;
  std::uint64_t partial_uploads = 0;
  std::uint64_t partial_bytes = 0;
  std::uint64_t free_bytes = 0;   ///< of the file system, for us
  std::uint64_t total_bytes = 0;  ///< likewise, used or not
  DurationCounts file_flushes;
  DurationCounts folder_flushes;
  DurationCounts transactions;  ///< of the catalogue
  DurationCounts queries;       ///< likewise, waits for a transaction included
  // Since the start, for want of room: drafts and moves that were refused.
  std::uint64_t refused_bytes = 0;  ///< an account's quota
  std::uint64_t refused_files = 0;  ///< likewise
  std::uint64_t refused_disk = 0;   ///< announced larger than what the disk has left
  std::uint64_t checked_bytes = 0;  ///< of kept chunks that were compared with their XXH3
  std::uint64_t scrub_damaged = 0;  ///< files that the background scrub found damaged; whoever runs it sets it
  std::optional<Error> stopped;     ///< why nothing can be written any more
};

/// A Store on this machine's disk, and what only the program that opened it may ask.
class LocalStore : public Store {
 public:
  /// A scan of this store, which must outlive it.
  virtual BackgroundScan scan(const ScanLimits&) = 0;
  /// A scrub of this store, which must outlive it. `report` gets a sentence for each damaged file.
  virtual Scrub scrub(const ScrubLimits&, std::function<void(const std::string& sentence)> report) = 0;
  /// Removes what was left of uploads too long ago; says when to come again.
  virtual std::chrono::nanoseconds sweep_partials() = 0;
  /// Removes a few of the chunk lists that no version has any more; says when to come again. One thread.
  virtual std::chrono::nanoseconds sweep_chunk_lists() = 0;
  /// About once a second: removes from the trash what is too old or too much.
  virtual void sweep_trash() = 0;
  /// Any thread; asks the file system, but waits for no write.
  virtual StoreFigures figures() = 0;
  virtual Usage usage(const std::string& account) = 0;
  /// What the monitor keeps over restarts.
  virtual Result<std::vector<HistoryRow>> history() = 0;
  virtual Status put_history(const HistoryRow& row, std::int64_t keep_after) = 0;
  /// With Committing::kByHand: commits what waits, as one group. False: nothing waits.
  virtual bool commit_next() = 0;
};

/// Errors: kBusy when another server has the folder, kVersion for a newer catalogue, the system's.
Result<std::unique_ptr<LocalStore>> open_directory_store(const std::filesystem::path& data_dir, StoreOptions options);
/// For tests: on a given disk, whose folders exist already.
Result<std::unique_ptr<LocalStore>> open_directory_store(DataFolder folder, const std::string& catalogue_path,
                                                         StoreOptions options);

}  // namespace millrace
