// The catalogue: which version stands at each path, the sequence, tombstones, chunk lists and pending operations.
// SQLite in WAL mode, one connection under one mutex. The store's transactions are COMMIT points: see
// directory_store.h. Paths here are those below files/, accounts included.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "base/durations.h"
#include "store/disk.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace millrace {

enum class Durability : std::uint8_t {
  kFull,   ///< what is acknowledged survives a power cut
  kBatch,  ///< what was acknowledged before the last checkpoint does
  kNone,   ///< only what the kernel wrote by itself
};

/// A version and what stat said of its file when it was indexed.
struct Row {
  Version version;
  FileStat stat;
  std::int64_t indexed_ns = 0;  ///< wall clock; 0: our own commit, which nobody else can have touched before
};

/// A file that gives way to a new version. Its inode is 0 for none.
struct Replaced {
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;
};

/// An operation that is committed but perhaps not yet visible in files/.
struct Pending {
  /// kAttributes: the row has the new ones, the file may have the old ones.
  enum class Kind : std::uint8_t { kPut = 0, kRemove = 1, kMove = 2, kAttributes = 3 };
  std::int64_t id = 0;
  Kind kind = Kind::kPut;
  std::string path;
  std::string other;        ///< kPut: staging name; kMove: the new path
  std::uint64_t inode = 0;  ///< of the file that is put, removed, moved or given attributes
  /// kPut: what is replaced, as it was when the preconditions were checked. Anything else that is found in its place is
  /// somebody else's and stays.
  Replaced replaced = {};
  /// What may also be found there after a crash, not in the catalogue: what earlier commits to the path replaced, and
  /// the files of those commits, which may have lost anything but their inodes.
  std::vector<Replaced> before = {};
  std::vector<std::uint64_t> superseded = {};
  /// kPut whose row was taken by a later one that came to nothing, likewise: what it had.
  std::optional<Attributes> attributes = std::nullopt;
  /// kPut: what the file holds, where it need not be flushed before the transaction.
  std::optional<Buffer> content = std::nullopt;
};

/// What the rows below one folder of the root, an account's, take together.
struct Usage {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  bool operator==(const Usage&) const = default;
};

/// A moment of what the server's monitor keeps; what is in it is the monitor's business.
struct HistoryRow {
  std::int64_t step = 0;
  std::int64_t at = 0;  ///< seconds since 1970
  Buffer point;
};

class Catalogue {
 public:
  /// Errors: kVersion for a catalogue of a newer program, kIntegrity for a damaged one.
  static Result<std::unique_ptr<Catalogue>> open(const std::string& path, std::uint64_t new_epoch);

  std::uint64_t epoch() const { return epoch_; }
  /// Transactions from now on. Before, while the store opens, all of them are flushed.
  Status set_durability(Durability durability);

  /// Nothing can be written any more once a transaction's COMMIT or something that must follow it has failed: the
  /// catalogue and the files may differ then, and only a restart's recovery may go on. Reads go on.
  Status writable() const;
  void stop_writing(const Error& reason);
  /// Called once, with the sentence for the operator.
  void on_stop(std::function<void(const std::string& sentence)> call) { on_stop_ = std::move(call); }

  /// A number that outlives the process; `standard` where it was never set.
  Result<std::uint64_t> mark(const char* key, std::uint64_t standard);
  /// Only inside of a transaction's body, like those at the end.
  Status set_mark(const char* key, std::uint64_t value);
  /// What stat said is forgotten: each file is read again at its next use, and keeps its sequence if it is the same.
  Status distrust_files();

  Result<std::optional<Row>> find(const std::string& path);
  /// Of all that was committed. Waits for no transaction.
  Usage usage(const std::string& account) const;
  /// Of all files.
  Usage total_usage() const;
  /// How long transactions took, flushes included.
  DurationCounts transaction_times() const { return transaction_times_.read(); }
  /// How long reads took, waits for a transaction that was open included.
  DurationCounts query_times() const { return query_times_.read(); }
  /// All of it, by step and moment.
  Result<std::vector<HistoryRow>> history();
  /// Copies what the log holds into the catalogue's file, so that the log can begin anew.
  Status checkpoint_log();
  Result<std::optional<std::string>> find_root(const Digest& root, const std::string& prefix);
  /// Rows below a folder ("" for all), ordered by path bytes.
  Result<std::vector<std::pair<std::string, Row>>> below(const std::string& folder);
  /// Paths of rows behind `after`, ordered by path bytes.
  Result<std::vector<std::string>> paths(const std::string& after, std::size_t limit);
  Result<std::vector<Change>> changes(const std::string& prefix, std::uint64_t since, std::size_t limit);
  Result<std::optional<Buffer>> chunk_list(const Digest& root);
  Status put_chunk_list(const Digest& root, ByteView list);
  /// Roots of lists behind `after`, in their order, and whether a version has them.
  Result<std::vector<std::pair<Digest, bool>>> chunk_lists(const Digest& after, std::size_t limit);
  /// Whether a version has it.
  Result<bool> has_root(const Digest& root);
  Result<std::vector<Pending>> pending();

  /// Runs `body` in one transaction; an error rolls it back. A COMMIT that fails stops writing, unless the disk was
  /// full: what has not been written cannot be flushed half.
  Status transaction(Disk& disk, const std::function<Status()>& body);
  /// The following only inside of a transaction's body.
  Result<std::uint64_t> next_sequence();
  Status put(const std::string& path, const Row& row);
  Status erase(const std::string& path, std::uint64_t sequence);
  Status forget(const std::string& path);
  Result<std::int64_t> add_pending(const Pending& pending);
  /// The operation is to be redone with another file than before.
  Status replace_pending(const Pending& pending);
  Status remove_pending(std::int64_t id);
  /// All of a path's kPut.
  Status remove_pending_puts(const std::string& path);
  /// Nothing happens if a version has that root.
  Status remove_unused_chunk_list(const Digest& root);
  /// Rows of the same step up to `keep_after` go.
  Status put_history(const HistoryRow& row, std::int64_t keep_after);
  /// What stat says now of the file that the path's row is about; nothing happens if the row is about another one.
  Status settle_stat(const std::string& path, const FileStat& stat);

 private:
  Database database_;
  mutable std::recursive_mutex mutex_;
  std::string stopped_;  ///< why writing stopped
  std::function<void(const std::string&)> on_stop_;
  std::uint64_t epoch_ = 0;
  struct UsageChange {
    std::int64_t bytes = 0;
    std::int64_t files = 0;
  };
  std::map<std::string, UsageChange> changing_;  ///< usage, by the transaction that is open
  mutable std::mutex usage_mutex_;
  std::map<std::string, Usage> usage_;  ///< as in the table
  Usage total_usage_;                   ///< the sum of it
  void set_usage(const std::string& account, const Usage& usage);
  DurationTally transaction_times_;
  DurationTally query_times_;
  Status load_usage();
  /// The row at `path` is about to become one of so many bytes, or nothing.
  Status note_change(const std::string& path, const std::optional<std::uint64_t>& bytes);
  Status write_usage(std::map<std::string, Usage>& changed);
  Statement& statement(const char* sql, Status& status);
  std::vector<std::pair<const char*, std::unique_ptr<Statement>>> statements_;
};

}  // namespace millrace
