// Descriptors are fewer than transfers: nothing keeps a file open between its jobs. A job gets its file from here,
// opened again if need be, and the most recently used ones stay open for the next job.
#pragma once

#include <compare>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "store/disk.h"

namespace millrace {

/// Which file it is, whatever its name. Nobody else gets an inode's number while the file is open.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileId&) const = default;
};

inline FileId id_of(const FileStat& stat) {
  return {stat.device, stat.inode};
}

/// Thread-safe.
class OpenFiles {
 public:
  explicit OpenFiles(std::size_t capacity) : capacity_(capacity) {}

  /// The file with that id, which must stand at `place` if it is not open. Errors: ESTALE when another one stands
  /// there, Disk::open's. A file is always got with the same access.
  DiskResult<std::shared_ptr<const File>> get(Disk& disk, const Place& place, Access access, FileId id);
  /// A file that was just made.
  void put(FileId id, File file);
  /// Closes it as soon as no job has it: call when nobody will ask for it any more, or its space would stay taken.
  void forget(FileId id);

 private:
  struct Entry {
    FileId id;
    std::shared_ptr<const File> file;
  };
  std::shared_ptr<const File> keep(FileId id, std::shared_ptr<const File> file);
  const std::size_t capacity_;
  std::mutex mutex_;
  std::list<Entry> recent_;  ///< most recent first
  std::map<FileId, std::list<Entry>::iterator> by_id_;
};

/// Versions that are being read. When a path gets another file or none, whoever reads the old one keeps it open.
/// Thread-safe.
class Readers {
 public:
  /// One reader of a file. Its owner sees `file` once the path no longer leads there.
  struct Reader {
    FileId id;
    std::mutex mutex;
    std::shared_ptr<const File> file;  // guarded by mutex
    std::shared_ptr<const File> kept() {
      const std::lock_guard lock(mutex);
      return file;
    }
  };

  /// `path` is one below Area::kFiles. The reader counts while its owner holds it.
  std::shared_ptr<Reader> add(const std::string& path, FileId id);
  /// Before `path`, a file or a folder, is replaced, moved or removed. A file that cannot be opened is lost to its
  /// readers, who find that out for themselves.
  void keep(Disk& disk, OpenFiles& files, const std::string& path);

 private:
  std::mutex mutex_;
  std::multimap<std::string, std::weak_ptr<Reader>> by_path_;
  std::size_t swept_size_ = 0;
};

}  // namespace millrace
