#include "client/local_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"

namespace millrace {

namespace {

constexpr int kReadFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
constexpr int kLoadAttempts = 2;

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::array<timespec, 2> times_of(const Attributes& attributes) {
  std::int64_t seconds = attributes.mtime_ns / 1'000'000'000;
  std::int64_t rest = attributes.mtime_ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  return {timespec{0, UTIME_OMIT}, timespec{seconds, rest}};
}

Result<std::shared_ptr<FileSource>> FileSource::open(const std::string& path) {
  std::shared_ptr<FileSource> source(new FileSource);
  source->path_ = path;
  source->descriptor_ = ::open(path.c_str(), kReadFlags);
  if (source->descriptor_ < 0) return fail(system_error(errno, "'" + printable(path) + "' cannot be read"));
  MILLRACE_TRY(source->look());
  return source;
}

Result<std::shared_ptr<FileSource>> FileSource::open(const LocalPlace& place) {
  std::shared_ptr<FileSource> source(new FileSource);
  source->path_ = place.shown();
  source->place_ = place;
  source->descriptor_ = openat(place.folder->descriptor(), place.name.c_str(), kReadFlags | O_NOFOLLOW);
  if (source->descriptor_ < 0 && errno == ELOOP)
    return fail(Code::kNotAllowed,
                "'" + printable(source->path_) + "' is a symbolic link; nothing is done through it.");
  if (source->descriptor_ < 0) return fail(system_error(errno, "'" + printable(source->path_) + "' cannot be read"));
  MILLRACE_TRY(source->look());
  return source;
}

Result<std::shared_ptr<FileSource>> FileSource::adopt(int descriptor, const std::string& name) {
  std::shared_ptr<FileSource> source(new FileSource);
  source->path_ = name;
  source->descriptor_ = descriptor;
  source->has_path_ = false;
  MILLRACE_TRY(source->look());
  return source;
}

Status FileSource::look() {
  const std::string& path = path_;
  struct stat stat {};
  if (fstat(descriptor_, &stat) != 0) return fail(system_error(errno, "'" + printable(path) + "' cannot be read"));
  if (S_ISDIR(stat.st_mode))
    return fail(Code::kUsage,
                "'" + printable(path) + "' is a folder; name files (-r takes whole folders, `sync` is to come).");
  if (!S_ISREG(stat.st_mode))
    return fail(Code::kUsage, "'" + printable(path) + "' is not a regular file; use `-` to send what a pipe gives.");
  bytes_ = static_cast<std::uint64_t>(stat.st_size);
  attributes_ = {nanoseconds(stat.st_mtim), stat.st_mode & 0777};
  ctime_ns_ = nanoseconds(stat.st_ctim);
  inode_ = stat.st_ino;
  device_ = stat.st_dev;
  return {};
}

FileSource::~FileSource() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool FileSource::same(const struct stat& stat) const {
  return static_cast<std::uint64_t>(stat.st_size) == bytes_ && nanoseconds(stat.st_mtim) == attributes_.mtime_ns &&
         nanoseconds(stat.st_ctim) == ctime_ns_ && stat.st_ino == inode_ && stat.st_dev == device_;
}

bool FileSource::unchanged() const {
  struct stat stat {};
  if (fstat(descriptor_, &stat) != 0 || !same(stat)) return false;
  if (!has_path_) return true;
  const int found = place_ ? fstatat(place_->folder->descriptor(), place_->name.c_str(), &stat, AT_SYMLINK_NOFOLLOW)
                           : ::stat(path_.c_str(), &stat);
  return found == 0 && same(stat);
}

Status FileSource::set_attributes(const Attributes& attributes) const {
  const auto both = times_of(attributes);
  if (fchmod(descriptor_, attributes.mode & 0777) != 0 || futimens(descriptor_, both.data()) != 0)
    return fail(system_error(errno, "Mode and time of '" + printable(path_) + "' cannot be set"));
  return {};
}

Status FileSource::read_at(std::uint64_t offset, MutableBytes into) const {
  while (!into.empty()) {
    const ssize_t got = pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, "'" + printable(path_) + "' cannot be read"));
    if (got == 0)
      return fail(Code::kSourceChanged,
                  "'" + printable(path_) + "' got shorter while it was read; try again when it is at rest.");
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  // Noticed here, a change ends the upload before anything of it is committed.
  struct stat stat {};
  if (fstat(descriptor_, &stat) != 0 || !same(stat)) {
    return fail(Code::kSourceChanged,
                "'" + printable(path_) + "' changed while it was read; try again when it is at rest.");
  }
  return {};
}

Result<std::shared_ptr<LoadedFile>> LoadedFile::load(const LocalPlace& place, std::uint64_t most) {
  for (int attempt = 1;; ++attempt) {
    MILLRACE_ASSIGN(const auto file, FileSource::open(place));
    if (file->size() > most) return nullptr;
    Buffer bytes(file->size());
    const Status read = file->read_at(0, bytes);
    if (read && file->unchanged())
      return std::shared_ptr<LoadedFile>(new LoadedFile(std::move(bytes), file->attributes()));
    const bool changed = read || read.error().code == Code::kSourceChanged;
    if (!changed) return fail(read.error());
    if (attempt == kLoadAttempts) {
      return fail(Code::kSourceChanged,
                  "'" + printable(place.shown()) + "' changed while it was read; try again when it is at rest.");
    }
  }
}

Status set_attributes(const std::string& path, const Attributes& attributes) {
  const auto both = times_of(attributes);
  if (chmod(path.c_str(), attributes.mode & 0777) != 0 || utimensat(AT_FDCWD, path.c_str(), both.data(), 0) != 0) {
    return fail(system_error(errno, "Mode and time of '" + printable(path) + "' cannot be set"));
  }
  return {};
}

}  // namespace millrace
