// The Store: where versions of files live. It speaks in chunks and in target order, so that a plain folder and, later,
// object storage with a shared database fit behind it. This header is pure: no I/O types, only base and delta.
//
// All calls block and may be made from any worker thread, several at once; never from an event loop. Every path has
// passed check_path. A principal's paths are relative to its own root folder.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/error.h"
#include "delta/chunk.h"
#include "delta/draft.h"
#include "delta/source.h"

namespace millrace {

/// What a principal may do; see scoped_store.h.
struct Scope {
  bool read = true;
  bool write = true;
  bool remove = true;
  std::string prefix;    ///< the path that it is confined to, with what lies below; empty: all
  bool monitor = false;  ///< see what goes on in the whole server: the store's business it is not
  bool operator==(const Scope&) const = default;
};

/// What all files of an account together may take; 0: no limit.
struct Quota {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  bool operator==(const Quota&) const = default;
};

/// Who asks. `account` is empty for anonymous service: the root folder is then DIR/files itself.
struct Principal {
  std::string account;
  Scope scope;
  Quota quota;
};

enum class EntryKind : std::uint8_t { kFile = 0, kFolder = 1, kSymlink = 2 };

struct Attributes {
  std::int64_t mtime_ns = 0;  ///< since 1970
  std::uint32_t mode = 0644;  ///< permission bits, 0777 at most
  bool operator==(const Attributes&) const = default;
};

/// Which version of a path on which server. Opaque to clients.
struct VersionToken {
  std::uint64_t epoch = 0;     ///< random for each catalogue
  std::uint64_t sequence = 0;  ///< grows with every commit, move and delete of an account
  Digest root;
  bool operator==(const VersionToken&) const = default;
};

struct Version {
  VersionToken token;
  std::uint64_t bytes = 0;
  Attributes attributes;
  bool operator==(const Version&) const = default;
};

/// One line of a listing. Folders and symlinks have no version (token all zero).
struct Entry {
  std::string path;  ///< whole remote path
  EntryKind kind = EntryKind::kFile;
  Version version;  ///< for files whose root is not known yet (never indexed) the root is zero; size and attributes are
                    ///< right
};

struct Change {
  std::uint64_t sequence = 0;
  std::string path;
  std::optional<Version> version;  ///< nothing: a tombstone
};

/// What a write expects to replace; checked at commit.
struct Expected {
  enum class Kind : std::uint8_t { kAny = 0, kNone = 1, kRoot = 2 };
  Kind kind = Kind::kAny;
  Digest root;  ///< for kRoot
  bool operator==(const Expected&) const = default;
};

using UploadId = std::array<Byte, 16>;

/// A stored version, open for reading. Keeps the version's bytes readable while it lives, even if the path gets a new
/// version.
class StoredFile : public Source {
 public:
  virtual const Version& version() const = 0;
  /// The chunks in order. Indexed before if need be; up to 44 bytes a chunk of memory. Loaded at the first call, then
  /// kept. Thread-safe.
  virtual Result<std::shared_ptr<const ChunkList>> chunks() const = 0;
};

/// The end of a commit. Called exactly once, on any thread, perhaps before commit() has returned; must not block.
using Committed = std::function<void(Result<Version>)>;

class StoreDraft : public Draft {
 public:
  /// Copies up to `bytes` more of the basis to where they stand in it, before anybody has asked to keep them: what
  /// keep() finds there already costs it nothing. For whoever waits for the patch; once it has begun nothing is copied
  /// ahead any more. False: there is nothing left to copy, or it cannot be, which is no reason to fail. Errors:
  /// kConflict when another attempt has taken over.
  virtual Result<bool> copy_ahead(std::uint64_t bytes) = 0;
  /// Makes the draft the path's new version; `done` is told when it is as durable as configured. Errors: kConflict when
  /// `expected` does not hold any more (the sentence names the current root), kQuota, kIntegrity (root or size differ
  /// from what was built), the system's. Spent afterwards.
  virtual void commit(const Digest& root, std::uint64_t bytes, const Attributes& attributes, Committed done) = 0;
  /// Nothing of it is to be kept for a later attempt. Any thread; the draft is dropped next.
  virtual void discard() = 0;
};

struct DraftRequest {
  std::string path;
  Expected expected;
  UploadId upload_id{};  ///< the idempotency key; all zero: none
  /// While an attempt of the same id at the same path is open, a lower one is refused and any other takes over from it:
  /// the old draft takes no more and cannot be committed (kConflict).
  std::uint64_t attempt = 0;
  std::uint64_t bytes = 0;  ///< announced size of the target: refused early (kQuota) where it cannot fit
  std::shared_ptr<const StoredFile> basis;  ///< what keep() copies from; may be null
};

enum class Recursive { kNo, kYes };
enum class Force { kNo, kYes };

struct Listing {
  std::vector<Entry> entries;  ///< ordered by path_less
  std::string next_cursor;     ///< pass it to go on; empty at the end
};

/// A version that was replaced or deleted and is kept for a while. Its root is not known (zero).
struct TrashedEntry {
  Entry entry;
  std::int64_t trashed_ns = 0;  ///< when it went, since 1970; with the path it names the version
  std::string cursor;           ///< a listing goes on behind it from here
};

struct TrashListing {
  std::vector<TrashedEntry> entries;  ///< ordered by path, then time
  std::string next_cursor;            ///< pass it to go on; empty at the end
};

class Store {
 public:
  virtual ~Store() = default;

  /// The current version of a file, or nothing. Stats first: a file changed behind the server's back is indexed again
  /// and gets a new sequence. Errors: kNotAllowed for FIFOs, devices, sockets and symlinks (never opened), kUsage for a
  /// folder.
  virtual Result<std::optional<Version>> lookup(const Principal&, const std::string& path) = 0;
  /// Like lookup, opened for reading. Errors: kNotFound too.
  virtual Result<std::shared_ptr<const StoredFile>> open(const Principal&, const std::string& path) = 0;
  /// What stat says of a file, folder or symlink; a file's root too (indexes it if need be). Errors: kNotFound,
  /// kNotAllowed.
  virtual Result<Entry> stat(const Principal&, const std::string& path) = 0;
  /// What an upload of so many bytes to `path` is best compared with, and its draft's basis: `stored`, which may be
  /// null, with what an earlier attempt left that was cut off. Null: nothing. A basis that is no stored version has a
  /// zero token.
  virtual std::shared_ptr<const StoredFile> upload_basis(const Principal&, const std::string& path, std::uint64_t bytes,
                                                         std::shared_ptr<const StoredFile> stored) = 0;
  virtual Result<std::unique_ptr<StoreDraft>> begin(const Principal&, const DraftRequest&) = 0;
  /// New attributes for unchanged content; a new sequence if they differ. Errors: kConflict when the root is no longer
  /// `root`.
  virtual Result<Version> set_attributes(const Principal&, const std::string& path, const Digest& root,
                                         const Attributes&) = 0;
  /// Entries of the folder `prefix` (empty: the root), at most `limit` after `cursor`. Special files are left out.
  /// Errors: kNotFound, kConflict (a file).
  virtual Result<Listing> list(const Principal&, const std::string& prefix, Recursive, const std::string& cursor,
                               std::size_t limit) = 0;
  /// Removes a file or folder. Errors: kNotFound, kConflict (a folder that is not empty without Recursive::kYes, or
  /// `expected`).
  virtual Status remove(const Principal&, const std::string& path, Recursive, const Expected& expected) = 0;
  /// Errors: kNotFound; kConflict when `to` exists and not forced, or lies below `from`.
  virtual Status move(const Principal&, const std::string& from, const std::string& to, Force) = 0;
  /// Versions in the trash at `path` or below it (empty: all), at most `limit` after `cursor`.
  virtual Result<TrashListing> list_trash(const Principal&, const std::string& path, const std::string& cursor,
                                          std::size_t limit) = 0;
  /// Makes the version of `path` that went at that time (0: the last) the current one of `to`; it leaves the trash
  /// then. Errors: kNotFound, kConflict when `to` exists and not forced, begin's and commit's.
  virtual Result<Version> restore(const Principal&, const std::string& path, std::int64_t trashed_ns,
                                  const std::string& to, Force) = 0;
  /// Changes after `since`, oldest first, at most `limit`, each path once with its latest state.
  virtual Result<std::vector<Change>> changes(const Principal&, std::uint64_t since, std::size_t limit) = 0;
  /// Any current version of this account with that root.
  virtual Result<std::shared_ptr<const StoredFile>> find(const Principal&, const Digest& root) = 0;
  /// Reads the whole file again and compares it with the catalogue. Errors: kIntegrity names the first damaged range.
  virtual Result<Version> verify(const Principal&, const std::string& path) = 0;
  /// Waits until nothing that was acknowledged depends on recovery any more: every file stands in its place, flushed as
  /// configured, and replaced ones are gone.
  virtual Status flush() = 0;
  /// Seed of rolling hashes for this account: a keyed hash of account and day.
  virtual std::uint64_t signature_seed(const Principal&) = 0;
};

}  // namespace millrace
