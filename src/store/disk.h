// The file operations of the store, and nothing else that touches a disk (SQLite apart). Every path is relative to one
// of five folders and can never leave it: no symlink is followed and no special file opened, whoever put it there. The
// commit steps and recovery are written against this interface, so that a test can stand in its place, fail any one
// operation or cut the power after it.
//
// Operations block, may be called from any thread, and give the errno of what failed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "base/bytes.h"
#include "base/durations.h"
#include "base/error.h"

namespace millrace {

template <typename T>
using DiskResult = tl::expected<T, int>;
using DiskStatus = DiskResult<void>;

inline tl::unexpected<int> disk_fail(int errno_value) {
  return tl::unexpected<int>(errno_value);
}

enum class Area : std::uint8_t { kData = 0, kFiles = 1, kStaging = 2, kChunks = 3, kTrash = 4 };

/// A path below one area's folder; the empty path is that folder itself.
struct Place {
  Area area = Area::kData;
  std::string path;
};

enum class FileKind : std::uint8_t { kRegular, kFolder, kSymlink, kSpecial };

struct FileStat {
  FileKind kind = FileKind::kRegular;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::uint32_t mode = 0;  ///< permission bits, 0777 at most
  bool operator==(const FileStat&) const = default;
};

/// Closes the files of a disk whose descriptors are not the kernel's.
class FileCloser {
 public:
  virtual void close_file(int descriptor) = 0;

 protected:
  ~FileCloser() = default;
};

/// Owns an open descriptor. Reads of one file from several threads are safe.
class File {
 public:
  File() = default;
  /// `closer` outlives the file; null: the kernel closes it.
  explicit File(int descriptor, FileCloser* closer = nullptr) : descriptor_(descriptor), closer_(closer) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), closer_(other.closer_) {}
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(closer_, other.closer_);
    return *this;
  }
  ~File();
  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  FileCloser* closer_ = nullptr;
};

enum class Access : std::uint8_t { kRead, kReadWrite };

struct DiskTimes {
  DurationTally file_flushes;
  DurationTally folder_flushes;
};

class Disk {
 public:
  virtual ~Disk() = default;

  /// Opens a regular file. ELOOP for a symlink, EISDIR for a folder, ENXIO for a special file: none of them is opened.
  virtual DiskResult<File> open(const Place&, Access) = 0;
  /// Makes a new file, mode 0600. EEXIST when the name is taken.
  virtual DiskResult<File> create(const Place&) = 0;
  /// Reads until `into` is full or the file ends; the number of bytes read.
  virtual DiskResult<std::size_t> pread(const File&, MutableBytes into, std::uint64_t offset) = 0;
  /// Writes all of `bytes`.
  virtual DiskStatus pwrite(const File&, ByteView bytes, std::uint64_t offset) = 0;
  virtual DiskStatus truncate(const File&, std::uint64_t bytes) = 0;
  virtual DiskStatus set_attributes(const File&, std::uint32_t mode, std::int64_t mtime_ns) = 0;
  virtual DiskStatus fsync(const File&) = 0;
  virtual DiskStatus fsync_folder(const Place&) = 0;
  /// Flushes the whole file system, other programs' bytes too: only for a clean end, where nobody waits.
  virtual DiskStatus flush_all() = 0;
  /// Asks for writeback of a range without waiting for it.
  virtual DiskStatus start_writeback(const File&, std::uint64_t offset, std::uint64_t bytes) = 0;
  /// Lets the kernel give the memory of a file that nobody will read soon to what is written next.
  virtual DiskStatus drop_cached(const File&) = 0;
  virtual DiskResult<FileStat> stat_file(const File&) = 0;
  /// Never follows a symlink.
  virtual DiskResult<FileStat> stat(const Place&) = 0;
  /// Names in a folder, in no order, without . and ..
  virtual DiskResult<std::vector<std::string>> list(const Place&) = 0;
  virtual DiskStatus make_folder(const Place&) = 0;
  virtual DiskStatus remove_folder(const Place&) = 0;
  virtual DiskStatus unlink(const Place&) = 0;
  /// EEXIST when `to` is taken.
  virtual DiskStatus rename_noreplace(const Place& from, const Place& to) = 0;
  /// Swaps two names. Where the file system cannot, `path` still changes at once, and `staged` in two steps.
  virtual DiskStatus exchange(const Place& staged, const Place& path) = 0;
  /// A second name for a file. EEXIST when `to` is taken.
  virtual DiskStatus link(const Place& from, const Place& to) = 0;
  /// Whether files of the other areas may be renamed into that folder, and names in it changed. EXDEV where it is on
  /// another file system or mount, EACCES and the like where rights are missing. Files in it may still be protected.
  virtual DiskStatus may_change(const Place& folder) = 0;
  /// Of the file system, used or not.
  virtual DiskResult<std::uint64_t> total_bytes() = 0;
  /// Bytes that an unprivileged writer may still use.
  virtual DiskResult<std::uint64_t> free_bytes() = 0;
  /// How long flushes took.
  const DiskTimes& times() const { return times_; }
  /// Told before each transaction of the catalogue is committed; an error makes it fail. For tests.
  virtual DiskStatus before_transaction() = 0;

 protected:
  DiskTimes times_;
};

/// What was opened of a data folder. Dropping it releases the lock.
struct DataFolder {
  std::unique_ptr<Disk> disk;
  File lock;
};

/// Makes the data folder and the folders in it where they are missing, mode 0700. Errors: the system's.
Status make_data_folder(const std::filesystem::path& data_dir);

/// make_data_folder, then takes the lock, and checks that files/, staging/ and trash/ are on one file
/// system. Errors: kBusy when another server holds the lock, kUsage for two file systems, the system's.
Result<DataFolder> open_data_folder(const std::filesystem::path& data_dir);

/// Disk::exchange() for a file system that cannot: `name`'s file gets another name beside the staged one, then the
/// staged one takes its place, then that takes the staged one's name. May be repeated after an interruption before the
/// second step; one before the third leaves the file under the other name.
DiskStatus exchange_in_steps(int staging, const std::string& staged, int folder, const std::string& name);

inline constexpr const char* kExchanged = ".old";  ///< ends that other name

/// The name, or a folder on the way to it, is gone, or is something else by now: what other programs may do at any
/// time, and no failure of the disk.
bool is_missing(int errno_value);
/// So, or what stands there is no file.
bool is_no_file(int errno_value);

/// The file system does not allow it, for want of rights or room or because it would lead to another one: nothing has
/// changed, and nothing is wrong with the disk.
bool is_refused(int errno_value);

/// "Could not WHAT 'PATH': reason", with the code that fits.
Error disk_error(int errno_value, std::string_view what, std::string_view path);

/// The sentence for something that is not a regular file: kUsage for a folder, kNotAllowed for all others.
Error not_a_file(FileKind kind, std::string_view path);

}  // namespace millrace
