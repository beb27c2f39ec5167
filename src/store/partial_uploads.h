// What uploads that were cut off left in staging. A draft that has come to kLeastPartialBytes gets a NAME.job beside
// it; when it ends without a commit, or the server does, both stay, and the next upload of the path is compared with
// them. Their content is never trusted: it is cut and hashed anew, and what does not match does not count. Neither file
// is flushed. At most one is kept for a path. An upload that has not ended lends what it has written so far: its
// connection may be dead without the server having been told. The file stays where it is, also if its draft ends
// meanwhile, and has no second name, whose removal would change what stat says of a version.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/disk.h"
#include "store/open_files.h"
#include "store/upload_job.h"

namespace millrace {

/// Smaller drafts are sent again: a second file would cost each of them more than it saves.
inline constexpr std::uint64_t kLeastPartialBytes = 8u << 20;

struct PartialLimits {
  std::chrono::nanoseconds age = std::chrono::hours(24);
  std::size_t count = 256;
  std::uint64_t bytes = std::uint64_t{64} << 30;   ///< of all but the newest
  std::uint64_t least_bytes = kLeastPartialBytes;  ///< of one; tests keep smaller ones too
};

/// How a draft ended.
enum class DraftEnd : std::uint8_t {
  kCommitted,  ///< its file belongs to the commit
  kCut,        ///< by the connection, the server's end or the client's error
  kUseless,    ///< superseded, cancelled, damaged, or its commit was refused
};

/// Thread-safe.
class PartialUploads {
 public:
  PartialUploads(Disk& disk, OpenFiles& files, std::function<std::int64_t()> now_ns, const PartialLimits& limits)
      : disk_(disk), files_(files), now_ns_(std::move(now_ns)), limits_(limits) {}

  /// At the start, before anything else: takes the partials among the names in staging and gives the other names.
  std::vector<std::string> load(const std::vector<std::string>& staged);

  std::uint64_t least_bytes() const { return limits_.least_bytes; }
  /// Describes the draft under that staging name, of which `written` bytes will not change any more; false where that
  /// was not possible, and nothing depends on it.
  bool describe(const std::string& name, UploadJob job, std::shared_ptr<const std::atomic<std::uint64_t>> written);
  /// What the committer was given and does not take: goes, once nobody reads it.
  void discard(const std::string& name);
  /// The draft ended, its file is closed. `described`: what describe() gave.
  void end(const std::string& name, const std::string& path, bool described, DraftEnd how);
  /// Before a described draft changes what it has written already: it lends nothing any more. False: somebody reads it.
  bool withdraw(const std::string& name, const std::string& path);

  /// A partial that an upload reads: it stays while this lives.
  class Lent {
   public:
    Lent(PartialUploads& owner, std::string path, std::string name, FileId id, std::uint64_t bytes, Access access)
        : owner_(owner), path_(std::move(path)), name_(std::move(name)), id_(id), bytes_(bytes), access_(access) {}
    ~Lent() { owner_.give_back(*this); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    /// Where its upload would go, or has gone if it was committed meanwhile.
    const std::string& path() const { return path_; }
    Place place() const { return {Area::kStaging, name_}; }
    FileId id() const { return id_; }
    std::uint64_t bytes() const { return bytes_; }
    /// To open it with, as whoever writes it does.
    Access access() const { return access_; }
    /// It cannot be read: it goes as soon as it is given back.
    void condemn() const { owner_.condemn(*this); }

   private:
    friend class PartialUploads;
    PartialUploads& owner_;
    std::string path_;
    std::string name_;
    FileId id_;
    std::uint64_t bytes_;
    Access access_;
  };
  /// Null where there is none, another upload has it, or it would leave no room for `announced_bytes`. Others go for
  /// that room, but not where all of them would not make it.
  std::shared_ptr<const Lent> lend(const std::string& path, std::uint64_t announced_bytes);

  /// Removes partials, oldest first, until so many bytes are free; those that are read stay. False when none was
  /// removed.
  bool make_room(std::uint64_t bytes);
  /// Of those that nobody reads.
  std::uint64_t removable_bytes();
  struct Figures {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
  };
  Figures figures();
  /// Removes what is too old, and says when to come again.
  std::chrono::nanoseconds sweep();

 private:
  struct Partial {
    std::string name;
    FileId id;
    std::uint64_t bytes = 0;
    std::int64_t created_ns = 0;
    bool lent = false;
    bool condemned = false;  ///< goes when it is given back
  };
  using Partials = std::map<std::string, Partial>;  ///< by path
  /// A described draft that has not ended.
  struct Open {
    std::string name;
    std::uint64_t inode = 0;
    std::shared_ptr<const std::atomic<std::uint64_t>> written;  ///< bytes
  };
  using OpenDrafts = std::multimap<std::string, Open>;  ///< by path
  OpenDrafts::iterator find_open(const std::string& name, const std::string& path);
  std::shared_ptr<const Lent> lend_kept(const std::string& path, std::uint64_t announced_bytes);
  std::shared_ptr<const Lent> lend_open(const std::string& path);
  /// What lies in staging under that name, if it is a partial.
  std::optional<std::pair<std::string, Partial>> find(const std::string& name);
  void keep(const std::string& path, Partial partial);
  void remove(Partials::iterator partial);
  /// At once, or when it is given back.
  void drop(Partial partial);
  void remove_files(const Partial& partial);
  bool is_expired(const Partial& partial) const;
  /// The oldest that nobody reads, but for that of `spared`.
  Partials::iterator oldest(const std::string& spared);
  void enforce(const std::string& newest);
  void give_back(const Lent& lent);
  void condemn(const Lent& lent);

  Disk& disk_;
  OpenFiles& files_;
  const std::function<std::int64_t()> now_ns_;
  const PartialLimits limits_;
  std::mutex mutex_;
  Partials partials_;
  OpenDrafts open_;
  std::vector<Partial> replaced_;  ///< no longer of use, but read
  enum class Then : std::uint8_t { kStay, kGo };
  std::map<std::string, Then> lent_open_;  ///< names of what was lent while its draft was open: what follows
};

}  // namespace millrace
