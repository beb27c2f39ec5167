#include "client/partial_download.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <optional>

#include "codec/sha256.h"

namespace millrace {

namespace {

constexpr std::string_view kPrefix = ".millrace-";
constexpr std::string_view kSuffix = ".part";
constexpr std::size_t kDigestBytes = 16;  ///< of the target's name
constexpr int kLooks = 3;
/// Of larger ones the tree of chunks would lose its lowest level, and could not be compared at all.
constexpr std::uint64_t kMostBytesTogether = std::uint64_t{64} << 30;
/// A lock is for writers on some network file systems, and a link or a pipe at the name must not be followed or waited
/// for.
constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

bool is_same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool is_all(std::string_view text, std::string_view of) {
  return !text.empty() && text.find_first_not_of(of) == std::string_view::npos;
}

std::string own_path(const Descriptor& file) {
  return "/proc/self/fd/" + std::to_string(file.number());
}

/// As far as it has come when it is made. It may grow meanwhile, by a job of an attempt that was cut off.
class PartialSource final : public Source {
 public:
  PartialSource(std::shared_ptr<const Descriptor> file, std::uint64_t bytes, std::optional<timespec> time)
      : file_(std::move(file)), bytes_(bytes), time_(time) {}
  std::uint64_t size() const override { return bytes_; }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    if (offset > bytes_ || into.size() > bytes_ - offset)
      return fail(Code::kUsage, "The partial ends before the requested range.");
    while (!into.empty()) {
      const ssize_t got = pread(file_->number(), into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(system_error(errno, "What is left of an earlier download cannot be read"));
      if (got == 0) return changed();
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    // Kept chunks are copied without being hashed again. Its ctime says nothing: it changes with the name.
    struct stat stat {};
    if (time_ && (fstat(file_->number(), &stat) != 0 || !is_same_time(stat.st_mtim, *time_))) return changed();
    return {};
  }

 private:
  static Status changed() {
    return fail(Code::kSourceChanged, "What is left of an earlier download changed while it was read; try again.");
  }
  std::shared_ptr<const Descriptor> file_;
  std::uint64_t bytes_;
  std::optional<timespec> time_;  ///< none: this process may still write behind `bytes_`
};

class JoinedSource final : public Source {
 public:
  JoinedSource(std::shared_ptr<const Source> first, std::shared_ptr<const Source> second)
      : first_(std::move(first)), second_(std::move(second)) {}
  std::uint64_t size() const override { return first_->size() + second_->size(); }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    const std::uint64_t border = first_->size();
    const auto before =
        static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), offset < border ? border - offset : 0));
    if (before > 0) MILLRACE_TRY(first_->read_at(offset, into.first(before)));
    if (before == into.size()) return {};
    return second_->read_at(offset + before - border, into.subspan(before));
  }

 private:
  std::shared_ptr<const Source> first_;
  std::shared_ptr<const Source> second_;
};

}  // namespace

bool is_unfinished_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  if (!name.ends_with(kSuffix)) return is_all(name, "0123456789");
  name.remove_suffix(kSuffix.size());
  return name.size() == 2 * kDigestBytes && is_all(name, "0123456789abcdef");
}

std::string draft_name(std::uint64_t random) {
  return std::string(kPrefix) + std::to_string(random);
}

std::string partial_name(std::string_view target) {
  const std::string digest = to_hex(make_sha256()->hash(as_bytes(target)));
  return std::string(kPrefix) + digest.substr(0, 2 * kDigestBytes) + std::string(kSuffix);
}

PartialDownload::PartialDownload(std::shared_ptr<const LocalFolder> folder, std::string_view target)
    : folder_(std::move(folder)), name_(partial_name(target)) {
  for (int looks = 0; looks < kLooks && !file_ && !is_taken_; ++looks) look();
}

void PartialDownload::look() {
  auto file = std::make_shared<const Descriptor>(openat(folder_->descriptor(), name_.c_str(), kFlags));
  if (!file->is_open()) {
    is_taken_ = errno != ENOENT;
    return;
  }
  struct stat stat {};
  const bool usable = fstat(file->number(), &stat) == 0 && S_ISREG(stat.st_mode) && stat.st_uid == geteuid() &&
                      flock(file->number(), LOCK_EX | LOCK_NB) == 0;
  if (!usable) {
    is_taken_ = true;
    return;
  }
  file_ = std::move(file);
  if (!is_in_place()) {
    file_ = nullptr;  // renamed or replaced before it was locked
  } else if (stat.st_nlink != 1) {
    // It has another name, under which it may be a finished file.
    (void)unlinkat(folder_->descriptor(), name_.c_str(), 0);
    file_ = nullptr;
  }
}

bool PartialDownload::is_in_place() const {
  struct stat own {};
  struct stat there {};
  return file_ && fstat(file_->number(), &own) == 0 &&
         fstatat(folder_->descriptor(), name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         own.st_ino == there.st_ino && own.st_dev == there.st_dev;
}

std::shared_ptr<const Source> PartialDownload::left() const {
  const std::lock_guard lock(mutex_);
  struct stat stat {};
  if (!file_ || fstat(file_->number(), &stat) != 0) return nullptr;
  const auto bytes = static_cast<std::uint64_t>(stat.st_size);
  if (bytes < kLeastPartialDownload) return nullptr;
  return std::make_shared<PartialSource>(file_, bytes, is_ours_ ? std::nullopt : std::optional(stat.st_mtim));
}

PartialDownload::Kept PartialDownload::keep(const std::shared_ptr<const Descriptor>& draft, const std::string& name,
                                            const std::string& spare, std::uint64_t bytes, std::uint64_t added) {
  const std::lock_guard lock(mutex_);
  if (is_taken_) return Kept::kNever;
  if (file_ && !is_in_place()) file_ = nullptr;
  struct stat stat {};
  if (file_ && fstat(file_->number(), &stat) == 0 && bytes + added < static_cast<std::uint64_t>(stat.st_size))
    return Kept::kNotYet;
  const int folder = folder_->descriptor();
  const bool named = !name.empty();
  bool placed = flock(draft->number(), LOCK_EX | LOCK_NB) == 0;
  if (placed && file_) {
    const std::string& from = named ? name : spare;
    placed = named || linkat(AT_FDCWD, own_path(*draft).c_str(), folder, spare.c_str(), AT_SYMLINK_FOLLOW) == 0;
    if (placed && renameat(folder, from.c_str(), folder, name_.c_str()) != 0) {
      placed = false;
      if (!named) (void)unlinkat(folder, spare.c_str(), 0);
    }
  } else if (placed) {
    placed = named ? renameat2(folder, name.c_str(), folder, name_.c_str(), RENAME_NOREPLACE) == 0
                   : linkat(AT_FDCWD, own_path(*draft).c_str(), folder, name_.c_str(), AT_SYMLINK_FOLLOW) == 0;
  }
  if (!placed) {
    is_taken_ = !file_;
    return Kept::kNever;
  }
  file_ = draft;
  is_ours_ = true;
  return Kept::kYes;
}

bool PartialDownload::give_up(const std::shared_ptr<const Descriptor>& draft, const std::string& spare) {
  const std::lock_guard lock(mutex_);
  if (file_ != draft || !is_in_place()) return false;
  const int folder = folder_->descriptor();
  if (renameat(folder, name_.c_str(), folder, spare.c_str()) != 0) return false;
  file_ = nullptr;
  return true;
}

void PartialDownload::remove() {
  const std::lock_guard lock(mutex_);
  if (is_in_place()) (void)unlinkat(folder_->descriptor(), name_.c_str(), 0);
  file_ = nullptr;
}

std::shared_ptr<PartialDownload> PartialDownloads::of(const LocalPlace& place) {
  struct stat stat {};
  if (fstat(place.folder->descriptor(), &stat) != 0) return nullptr;
  const std::lock_guard lock(mutex_);
  std::erase_if(used_, [](const auto& entry) { return entry.second.expired(); });
  auto& known = used_[{stat.st_dev, stat.st_ino, place.name}];
  auto partial = known.lock();
  if (!partial) {
    partial = std::make_shared<PartialDownload>(place.folder, place.name);
    known = partial;
  }
  return partial;
}

void sweep_partial_downloads(const LocalFolder& folder) {
  const int readable = openat(folder.descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (readable < 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> reading(fdopendir(readable), &closedir);
  if (!reading) return;
  const std::int64_t oldest = std::time(nullptr) - std::chrono::seconds(kPartialDownloadAge).count();
  while (const dirent* const entry = readdir(reading.get())) {
    if (!is_unfinished_name(entry->d_name)) continue;
    struct stat stat {};
    const bool is_old = fstatat(folder.descriptor(), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISREG(stat.st_mode) && stat.st_uid == geteuid() && stat.st_mtim.tv_sec < oldest;
    if (!is_old) continue;
    const Descriptor file(openat(folder.descriptor(), entry->d_name, kFlags));
    if (file.is_open() && flock(file.number(), LOCK_EX | LOCK_NB) == 0)
      (void)unlinkat(folder.descriptor(), entry->d_name, 0);
  }
}

std::shared_ptr<const Source> joined_basis(std::shared_ptr<const Source> partial, std::shared_ptr<const Source> there) {
  if (!partial || !there) return partial ? partial : there;
  if (partial->size() + there->size() > kMostBytesTogether) return partial->size() > there->size() ? partial : there;
  return std::make_shared<JoinedSource>(std::move(partial), std::move(there));
}

}  // namespace millrace
