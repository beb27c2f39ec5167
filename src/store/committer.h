// The commit of finished drafts, in groups: a group costs one durable transaction, whatever its size. What a group has
// put in its place is flushed later, by a checkpoint; until then the pending rows bring it back after a crash.
// No threads of its own: see commit_queue.h.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/current_versions.h"

namespace millrace {

inline constexpr std::size_t kMaxContentInRow = 32u << 10;  ///< bytes; larger files are flushed themselves

/// What a draft counts against.
struct QuotaShare {
  std::string account;
  Quota quota;
  std::uint64_t replaced_bytes = 0;   ///< when it began; what counts is looked at again when it is committed
  QuotaRefusals* refusals = nullptr;  ///< where what does not fit is counted
};

/// Whether `account` may come to have `bytes` and `files` more. Errors: kQuota.
Status fits_quota(const QuotaShare& share, const Usage& used, std::int64_t more_bytes, std::int64_t more_files,
                  const std::string& path);

/// Whether whoever sends a draft may also read what is stored, and so be told of it.
enum class Sender : std::uint8_t { kReads, kBlind };

/// A draft whose bytes are complete and, where its content does not travel in the row, flushed.
struct ReadyDraft {
  std::string path;
  Expected expected;
  std::string staged;  ///< its name in staging, the committer's from now on
  FileStat stat;
  Digest root;
  Attributes attributes;
  Buffer chunk_row;               ///< for Catalogue::put_chunk_list; may be empty
  std::optional<Buffer> content;  ///< for the pending row
  std::shared_ptr<const std::atomic<bool>> superseded;
  Committed done;
  QuotaShare share = {};
  Sender sender = Sender::kReads;
};

/// What lets a commit count on a draft's bytes: small ones go into `draft.content`, the file of larger ones is flushed.
/// Nothing where the durability asks for less. Errors: the system's.
Status hold_content(StoreParts& parts, const File& file, std::uint64_t bytes, const std::string& path,
                    ReadyDraft& draft);

class Committer {
 public:
  /// What makes the next checkpoint due.
  struct Due {
    std::size_t commits = 4096;
    std::uint64_t row_bytes = 64u << 20;  ///< content in pending rows
  };
  Committer(StoreParts& parts, CurrentVersions& versions, Due due) : parts_(parts), versions_(versions), due_(due) {}

  /// Commits the drafts together, at most one of each path, and tells each.
  void commit(std::vector<ReadyDraft> group);
  /// Flushes what was put in place since the last one and lets its pending rows go. A flush that fails stops all
  /// writing: what is on disk is not known then. Where only descriptors or space ran out it may be tried again.
  Status checkpoint();
  bool is_due(unsigned times = 1) const;

 private:
  struct Admitted {
    ReadyDraft draft;
    Row row;
    Pending pending;
    std::optional<Row> before;
  };
  /// What those of a group that were admitted so far mean for the next one.
  struct Group {
    std::map<std::string, Usage> grown;  ///< by account
    std::set<std::string> writable;      ///< folders
  };
  void drop(const std::string& staged);
  /// Nothing: the version that is there already will do.
  Result<std::optional<Admitted>> admit(const ReadyDraft& draft, std::optional<Version>& there, Group& group);
  Result<Version> put_in_place(Admitted& admitted);
  Result<Version> take_back(const Admitted& admitted, const Error& why);
  void uncache_replaced(const Admitted& admitted);
  Status give_up_replaced(const std::vector<UnsettledPut>& puts);
  Status flush_contents(const std::vector<UnsettledPut>& puts);
  Status settle_all(const std::vector<UnsettledPut>& puts);

  StoreParts& parts_;
  CurrentVersions& versions_;
  const Due due_;
  std::mutex checkpoint_;  ///< one at a time; taken before the store's lock
};

}  // namespace millrace
