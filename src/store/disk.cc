#include "store/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/path.h"
#include "store/staging_shards.h"

namespace millrace {

File::~File() {
  if (descriptor_ < 0) return;
  if (closer_ != nullptr) {
    closer_->close_file(descriptor_);
  } else {
    ::close(descriptor_);
  }
}

namespace {

constexpr std::array<const char*, 5> kAreaNames = {"", "files", "staging", "chunks", "trash"};

DiskStatus done(int result) {
  if (result == 0) return {};
  return disk_fail(errno);
}

FileStat from_system(const struct stat& s) {
  FileStat out;
  out.kind = S_ISREG(s.st_mode)   ? FileKind::kRegular
             : S_ISDIR(s.st_mode) ? FileKind::kFolder
             : S_ISLNK(s.st_mode) ? FileKind::kSymlink
                                  : FileKind::kSpecial;
  out.device = s.st_dev;
  out.inode = s.st_ino;
  out.bytes = static_cast<std::uint64_t>(s.st_size);
  out.mtime_ns = s.st_mtim.tv_sec * 1'000'000'000LL + s.st_mtim.tv_nsec;
  out.ctime_ns = s.st_ctim.tv_sec * 1'000'000'000LL + s.st_ctim.tv_nsec;
  out.mode = s.st_mode & 0777;
  return out;
}

timespec to_timespec(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t seconds = ns / kSecond;
  std::int64_t rest = ns % kSecond;
  if (rest < 0) {
    rest += kSecond;
    --seconds;
  }
  return {.tv_sec = seconds, .tv_nsec = rest};
}

int kind_errno(FileKind kind) {
  switch (kind) {
    case FileKind::kFolder:
      return EISDIR;
    case FileKind::kSymlink:
      return ELOOP;
    default:
      return ENXIO;
  }
}

/// Between two mounts of one file system nothing can be renamed either.
struct Mount {
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t id = 0;
  bool operator==(const Mount&) const = default;
};

DiskResult<Mount> mount_of(int folder) {
  struct statx s {};
  if (::statx(folder, "", AT_EMPTY_PATH, STATX_MNT_ID, &s) != 0) return disk_fail(errno);
  return Mount{s.stx_dev_major, s.stx_dev_minor, s.stx_mnt_id};
}

class SystemDisk final : public Disk {
 public:
  SystemDisk(std::array<File, kAreaNames.size()> areas, ShardFolders shards, const Mount& mount)
      : areas_(std::move(areas)), shards_(std::move(shards)), mount_(mount) {}

  DiskResult<File> open(const Place& place, Access access) override {
    // Looked at before it is opened: opening a device may already do something.
    auto before = stat(place);
    if (!before) return disk_fail(before.error());
    if (before->kind != FileKind::kRegular) return disk_fail(kind_errno(before->kind));
    const int flags = (access == Access::kRead ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
    auto file = open_beneath(place, flags, 0);
    if (!file) return file;
    auto after = stat_file(*file);
    if (!after) return disk_fail(after.error());
    if (after->kind != FileKind::kRegular) return disk_fail(kind_errno(after->kind));
    return file;
  }

  DiskResult<File> create(const Place& place) override { return open_beneath(place, O_RDWR | O_CREAT | O_EXCL, 0600); }

  DiskResult<std::size_t> pread(const File& file, MutableBytes into, std::uint64_t offset) override {
    std::size_t have = 0;
    while (have < into.size()) {
      const auto n =
          ::pread(file.descriptor(), into.data() + have, into.size() - have, static_cast<off_t>(offset + have));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return disk_fail(errno);
      if (n == 0) break;
      have += static_cast<std::size_t>(n);
    }
    return have;
  }

  DiskStatus pwrite(const File& file, ByteView bytes, std::uint64_t offset) override {
    while (!bytes.empty()) {
      const auto n = ::pwrite(file.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return disk_fail(errno);
      if (n == 0) return disk_fail(EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  DiskStatus truncate(const File& file, std::uint64_t bytes) override {
    return done(::ftruncate(file.descriptor(), static_cast<off_t>(bytes)));
  }

  DiskStatus set_attributes(const File& file, std::uint32_t mode, std::int64_t mtime_ns) override {
    if (::fchmod(file.descriptor(), mode & 0777) != 0) return disk_fail(errno);
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, to_timespec(mtime_ns)};
    return done(::futimens(file.descriptor(), times));
  }

  DiskStatus fsync(const File& file) override {
    const DurationScope timed(times_.file_flushes);
    return done(::fsync(file.descriptor()));
  }

  DiskStatus fsync_folder(const Place& place) override {
    auto folder = open_beneath(place, O_RDONLY | O_DIRECTORY, 0);
    if (!folder) return disk_fail(folder.error());
    const DurationScope timed(times_.folder_flushes);
    return done(::fsync(folder->descriptor()));
  }

  DiskStatus flush_all() override { return done(::syncfs(area(Area::kFiles))); }

  DiskStatus start_writeback(const File& file, std::uint64_t offset, std::uint64_t bytes) override {
    return done(::sync_file_range(file.descriptor(), static_cast<off64_t>(offset), static_cast<off64_t>(bytes),
                                  SYNC_FILE_RANGE_WRITE));
  }

  DiskStatus drop_cached(const File& file) override {
    const int error = ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    return error == 0 ? DiskStatus() : disk_fail(error);
  }

  DiskResult<FileStat> stat_file(const File& file) override {
    struct stat s {};
    if (::fstat(file.descriptor(), &s) != 0) return disk_fail(errno);
    return from_system(s);
  }

  DiskResult<FileStat> stat(const Place& place) override {
    auto at = parent_of(place);
    if (!at) return disk_fail(at.error());
    struct stat s {};
    if (::fstatat(at->folder(), at->name.c_str(), &s, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0) {
      return disk_fail(errno);
    }
    return from_system(s);
  }

  DiskResult<std::vector<std::string>> list(const Place& place) override {
    auto folder = open_beneath(place, O_RDONLY | O_DIRECTORY, 0);
    if (!folder) return disk_fail(folder.error());
    const int copy = ::fcntl(folder->descriptor(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return disk_fail(errno);
    std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), ::closedir);
    if (!stream) {
      const int reason = errno;
      ::close(copy);
      return disk_fail(reason);
    }
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return disk_fail(errno);
    return names;
  }

  DiskStatus make_folder(const Place& place) override {
    auto at = parent_of(place);
    if (!at) return disk_fail(at.error());
    return done(::mkdirat(at->folder(), at->name.c_str(), 0755));
  }

  DiskStatus remove_folder(const Place& place) override {
    auto at = parent_of(place);
    if (!at) return disk_fail(at.error());
    return done(::unlinkat(at->folder(), at->name.c_str(), AT_REMOVEDIR));
  }

  DiskStatus unlink(const Place& place) override {
    auto at = parent_of(place);
    if (!at) return disk_fail(at.error());
    return done(::unlinkat(at->folder(), at->name.c_str(), 0));
  }

  DiskStatus rename_noreplace(const Place& from, const Place& to) override {
    auto a = parent_of(from);
    if (!a) return disk_fail(a.error());
    auto b = parent_of(to);
    if (!b) return disk_fail(b.error());
    if (::renameat2(a->folder(), a->name.c_str(), b->folder(), b->name.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno != EINVAL && errno != ENOSYS) return disk_fail(errno);
    // A file system without the flag. link refuses a taken name as well, but not for folders: those are looked up
    // first.
    if (::linkat(a->folder(), a->name.c_str(), b->folder(), b->name.c_str(), 0) == 0) {
      return done(::unlinkat(a->folder(), a->name.c_str(), 0));
    }
    if (errno != EPERM) return disk_fail(errno);
    struct stat s {};
    if (::fstatat(b->folder(), b->name.c_str(), &s, AT_SYMLINK_NOFOLLOW) == 0) return disk_fail(EEXIST);
    return done(::renameat(a->folder(), a->name.c_str(), b->folder(), b->name.c_str()));
  }

  DiskStatus exchange(const Place& staged, const Place& path) override {
    auto a = parent_of(staged);
    if (!a) return disk_fail(a.error());
    auto b = parent_of(path);
    if (!b) return disk_fail(b.error());
    if (::renameat2(a->folder(), a->name.c_str(), b->folder(), b->name.c_str(), RENAME_EXCHANGE) == 0) return {};
    if (errno != EINVAL && errno != ENOSYS) return disk_fail(errno);
    return exchange_in_steps(a->folder(), a->name, b->folder(), b->name);
  }

  DiskStatus link(const Place& from, const Place& to) override {
    auto a = parent_of(from);
    if (!a) return disk_fail(a.error());
    auto b = parent_of(to);
    if (!b) return disk_fail(b.error());
    return done(::linkat(a->folder(), a->name.c_str(), b->folder(), b->name.c_str(), 0));
  }

  DiskStatus may_change(const Place& place) override {
    auto folder = open_beneath(place, O_PATH | O_DIRECTORY, 0);
    if (!folder) return disk_fail(folder.error());
    const auto mount = mount_of(folder->descriptor());
    if (!mount) return disk_fail(mount.error());
    if (*mount != mount_) return disk_fail(EXDEV);
    // Reading too: a folder that cannot be opened cannot be flushed.
    return done(::faccessat(folder->descriptor(), ".", R_OK | W_OK | X_OK, AT_EACCESS));
  }

  DiskResult<std::uint64_t> total_bytes() override {
    struct statvfs s {};
    if (::fstatvfs(area(Area::kStaging), &s) != 0) return disk_fail(errno);
    return std::uint64_t{s.f_blocks} * s.f_frsize;
  }

  DiskResult<std::uint64_t> free_bytes() override {
    struct statvfs s {};
    if (::fstatvfs(area(Area::kStaging), &s) != 0) return disk_fail(errno);
    return std::uint64_t{s.f_bavail} * s.f_frsize;
  }

  DiskStatus before_transaction() override { return {}; }

 private:
  /// The folder that holds a name, open, and the name. For an area itself: the area and an empty name.
  struct Parent {
    File own;
    int borrowed = -1;
    std::string name;
    int folder() const { return own.is_open() ? own.descriptor() : borrowed; }
  };

  int area(Area which) const { return areas_[static_cast<std::size_t>(which)].descriptor(); }

  DiskResult<File> open_beneath(const Place& place, int flags, unsigned mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const auto shard = place.area == Area::kStaging ? shard_of(place.path) : std::nullopt;
    const int base = shard ? shards_[*shard].descriptor() : area(place.area);
    const char* path = place.path.c_str() + (shard ? kShardPrefix : 0);
    if (*path == 0) path = ".";
    for (;;) {
      const long descriptor = ::syscall(SYS_openat2, base, path, &how, sizeof how);
      if (descriptor >= 0) return File(static_cast<int>(descriptor));
      // EAGAIN: a rename elsewhere made the kernel unsure that the walk stayed beneath.
      if (errno != EINTR && errno != EAGAIN) return disk_fail(errno);
    }
  }

  DiskResult<Parent> parent_of(const Place& place) {
    Parent out;
    out.name = std::string(last_part(place.path));
    const std::string_view folder = parent_path(place.path);
    if (folder.empty()) {
      out.borrowed = area(place.area);
      return out;
    }
    if (const auto shard = place.area == Area::kStaging ? shard_of(place.path) : std::nullopt) {
      out.borrowed = shards_[*shard].descriptor();
      return out;
    }
    auto opened = open_beneath({place.area, std::string(folder)}, O_PATH | O_DIRECTORY, 0);
    if (!opened) return disk_fail(opened.error());
    out.own = std::move(*opened);
    return out;
  }

  static constexpr std::size_t kShardPrefix = 3;  ///< bytes of "NN/"
  std::array<File, kAreaNames.size()> areas_;
  ShardFolders shards_;  ///< nobody else renames them: they stay open
  Mount mount_;          ///< of files/, staging/ and trash/
};

}  // namespace

namespace {

std::filesystem::path area_path(const std::filesystem::path& data_dir, std::size_t area) {
  return area == 0 ? data_dir : data_dir / kAreaNames[area];
}

}  // namespace

Status make_data_folder(const std::filesystem::path& data_dir) {
  std::error_code problem;
  std::filesystem::create_directories(data_dir.parent_path(), problem);
  for (std::size_t i = 0; i < kAreaNames.size(); ++i) {
    const std::filesystem::path path = area_path(data_dir, i);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return fail(disk_error(errno, "make the folder", path.native()));
    }
  }
  return {};
}

Result<DataFolder> open_data_folder(const std::filesystem::path& data_dir) {
  const std::string shown = printable(data_dir.native());
  MILLRACE_TRY(make_data_folder(data_dir));
  std::array<File, kAreaNames.size()> areas;
  for (std::size_t i = 0; i < areas.size(); ++i) {
    const std::filesystem::path path = area_path(data_dir, i);
    // The operator may have put a symlink to another disk here: the areas' own names are trusted.
    areas[i] = File(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!areas[i].is_open()) return fail(disk_error(errno, "open the folder", path.native()));
  }
  DataFolder out;
  out.lock = File(::openat(areas[0].descriptor(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.lock.is_open()) return fail(disk_error(errno, "open the lock file of", data_dir.native()));
  if (::flock(out.lock.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return fail(Code::kBusy, "Another server is using the data folder '" + shown +
                                   "'. Stop it first, or give this one a folder of its own.");
    }
    return fail(disk_error(errno, "lock", data_dir.native()));
  }
  const auto files = mount_of(areas[1].descriptor());
  if (!files) return fail(disk_error(files.error(), "look at the folders of", data_dir.native()));
  for (const Area area : {Area::kFiles, Area::kStaging, Area::kTrash}) {
    const auto index = static_cast<std::size_t>(area);
    const auto mount = mount_of(areas[index].descriptor());
    if (!mount) return fail(disk_error(mount.error(), "look at the folders of", data_dir.native()));
    if (*mount == *files) continue;
    return fail(Code::kUsage, "The folders 'files' and '" + std::string(kAreaNames[index]) + "' of '" + shown +
                                  "' are on different file systems or mounts. They must share one, because versions "
                                  "are renamed from one into the other.");
  }
  auto shards = open_staging_shards(areas[2].descriptor());
  if (!shards) return fail(disk_error(shards.error(), "make the folders in", (data_dir / "staging").native()));
  out.disk = std::make_unique<SystemDisk>(std::move(areas), std::move(*shards), *files);
  return out;
}

DiskStatus exchange_in_steps(int staging, const std::string& staged, int folder, const std::string& name) {
  const std::string kept = staged + kExchanged;
  int linked = ::linkat(folder, name.c_str(), staging, kept.c_str(), 0);
  if (linked != 0 && errno == EEXIST) {
    // Of an attempt that was interrupted before the next step.
    if (::unlinkat(staging, kept.c_str(), 0) != 0) return disk_fail(errno);
    linked = ::linkat(folder, name.c_str(), staging, kept.c_str(), 0);
  }
  if (linked != 0) return disk_fail(errno);
  if (::renameat(staging, staged.c_str(), folder, name.c_str()) != 0) {
    const int reason = errno;
    ::unlinkat(staging, kept.c_str(), 0);
    return disk_fail(reason);
  }
  return done(::renameat(staging, kept.c_str(), staging, staged.c_str()));
}

bool is_missing(int errno_value) {
  return errno_value == ENOENT || errno_value == ENOTDIR || errno_value == ELOOP;
}

bool is_no_file(int errno_value) {
  return is_missing(errno_value) || errno_value == EISDIR || errno_value == ENXIO;
}

bool is_refused(int errno_value) {
  switch (errno_value) {
    case EACCES:
    case EPERM:
    case EROFS:
    case EXDEV:
    case EBUSY:
    case EMLINK:
    case ENOSPC:
    case EDQUOT:
      return true;
    default:
      return false;
  }
}

Error disk_error(int errno_value, std::string_view what, std::string_view path) {
  if (errno_value == ENXIO) return not_a_file(FileKind::kSpecial, path);
  if (errno_value == ELOOP) return not_a_file(FileKind::kSymlink, path);
  std::string sentence = "Could not " + std::string(what);
  if (!path.empty()) sentence += " '" + printable(path) + "'";
  return system_error(errno_value, sentence);
}

Error not_a_file(FileKind kind, std::string_view path) {
  const std::string shown = "'" + printable(path) + "'";
  switch (kind) {
    case FileKind::kFolder:
      return {Code::kUsage, shown + " is a folder, not a file (`sync` for whole folders is to come)."};
    case FileKind::kSymlink:
      return {Code::kNotAllowed, shown + " is a symbolic link or lies behind one. The server does not follow them."};
    default:
      return {Code::kNotAllowed,
              shown + " is neither a file nor a folder. The server does not open pipes, sockets and devices."};
  }
}

}  // namespace millrace
