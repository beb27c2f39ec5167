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

std::array<timespec, 2> times(const Attributes& attributes) {
  std::int64_t seconds = attributes.mtime_ns / 1'000'000'000;
  std::int64_t rest = attributes.mtime_ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  return {timespec{0, UTIME_OMIT}, timespec{seconds, rest}};
}

Status write_all(int descriptor, ByteView bytes, std::uint64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(system_error(errno, "'" + printable(path) + "' cannot be written"));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

class FileDraft final : public DownloadDraft {
 public:
  /// `staging` names the open file, or, where that has no name, `spare_name` is for later.
  FileDraft(std::optional<LocalPlace> place, std::string staging, std::string spare_name, int descriptor,
            std::shared_ptr<const Source> replaced, std::shared_ptr<const Source> basis,
            std::shared_ptr<const ChunkList> chunks)
      : place_(std::move(place)),
        path_(place_ ? place_->shown() : "the spool"),
        staging_(std::move(staging)),
        spare_name_(std::move(spare_name)),
        descriptor_(descriptor),
        replaced_(std::move(replaced)),
        basis_(std::move(basis)),
        basis_chunks_(std::move(chunks)) {
    std::uint64_t offset = 0;
    for (const Chunk& chunk : *basis_chunks_) {
      offsets_.push_back(offset);
      offset += chunk.length;
    }
    offsets_.push_back(offset);
  }
  ~FileDraft() override {
    ::close(descriptor_);
    if (!staging_.empty()) ::unlinkat(place_->folder->descriptor(), staging_.c_str(), 0);
  }

  Status keep(std::uint64_t first, std::uint64_t count) override {
    if (first >= basis_chunks_->size() || count > basis_chunks_->size() - first)
      return fail(Code::kUsage, "The basis does not have the chunks to keep.");
    // Content is checked by the root only if it was read from an unchanged file: the basis is stat-checked at commit.
    for (std::uint64_t at = first; at < first + count;) {
      std::uint64_t end = at;
      std::uint64_t bytes = 0;
      while (end < first + count && bytes + (*basis_chunks_)[end].length <= (1u << 20))
        bytes += (*basis_chunks_)[end++].length;
      buffer_.resize(bytes);
      MILLRACE_TRY(basis_->read_at(offsets_[at], buffer_));
      MILLRACE_TRY(write(buffer_));
      chunks_.insert(chunks_.end(), basis_chunks_->begin() + static_cast<std::ptrdiff_t>(at),
                     basis_chunks_->begin() + static_cast<std::ptrdiff_t>(end));
      at = end;
    }
    return {};
  }
  Status add(std::span<const Chunk> chunks, ByteView content) override {
    chunks_.insert(chunks_.end(), chunks.begin(), chunks.end());
    return write(content);
  }
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override {
    chunks_.insert(chunks_.end(), count, chunk);
    size_ += std::uint64_t{chunk.length} * count;
    return {};
  }
  Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) override {
    if (index >= chunks_.size() || chunks_[index].length != chunk.length)
      return fail(Code::kUsage, "There is no such chunk to replace.");
    std::uint64_t offset = 0;
    for (std::uint64_t i = 0; i < index; ++i) offset += chunks_[i].length;
    chunks_[index] = chunk;
    return write_all(descriptor_, content, offset, path_);
  }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    if (offset + into.size() > size_) return fail(Code::kUsage, "The draft is not that long yet.");
    while (!into.empty()) {
      const ssize_t got = pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(system_error(errno, "'" + printable(path_) + "' cannot be read back"));
      if (got == 0) {
        std::fill(into.begin(), into.end(), Byte{0});  // a hole that the file does not reach yet
        return {};
      }
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
    return {};
  }
  std::uint64_t size() const override { return size_; }
  std::uint64_t chunk_count() const override { return chunks_.size(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override { return chunks_.at(index); }

  Status commit(const Version& version) override {
    MILLRACE_TRY(still_in_place());
    const auto both = times(version.attributes);
    if (ftruncate(descriptor_, static_cast<off_t>(size_)) != 0 ||
        fchmod(descriptor_, version.attributes.mode & 0777) != 0 || futimens(descriptor_, both.data()) != 0 ||
        fsync(descriptor_) != 0) {
      return fail(system_error(errno, "'" + printable(path_) + "' cannot be finished"));
    }
    if (!place_) return {};
    if (!replaced_) {
      MILLRACE_ASSIGN(const bool placed, place_new());
      if (placed) return flush_folder();
    }
    MILLRACE_TRY(give_name());
    MILLRACE_TRY(still_in_place());
    const int folder = place_->folder->descriptor();
    if (renameat(folder, staging_.c_str(), folder, place_->name.c_str()) != 0)
      return fail(system_error(errno, "'" + printable(path_) + "' cannot be put in its place"));
    staging_.clear();
    return flush_folder();
  }

 private:
  /// The file that is to be replaced is still the one that was read, also if an editor put another in its place.
  Status still_in_place() const {
    const auto* const file = dynamic_cast<const FileSource*>(replaced_.get());
    if (file == nullptr || file->unchanged()) return {};
    return fail(Code::kSourceChanged,
                "'" + printable(path_) + "' changed during the download; it is untouched; try again.");
  }
  bool link_to(const std::string& name) const {
    const int folder = place_->folder->descriptor();
    if (!staging_.empty()) return linkat(folder, staging_.c_str(), folder, name.c_str(), 0) == 0;
    const std::string self = "/proc/self/fd/" + std::to_string(descriptor_);
    return linkat(AT_FDCWD, self.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  }
  /// What appeared at the path meanwhile is not ours to replace. False where the file system has no hard links.
  Result<bool> place_new() const {
    if (link_to(place_->name)) return true;
    if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOENT) return false;
    if (errno == EEXIST)
      return fail(Code::kSourceChanged,
                  "'" + printable(path_) + "' appeared during the download; it is untouched; try again.");
    return fail(system_error(errno, "'" + printable(path_) + "' cannot be put in its place"));
  }
  /// A draft without a name gets one for the moment before its rename.
  Status give_name() {
    if (!staging_.empty()) return {};
    if (!link_to(spare_name_))
      return fail(system_error(errno, "A file beside '" + printable(path_) + "' cannot be made"));
    staging_ = spare_name_;
    return {};
  }
  /// The new name survives a power cut too.
  Status flush_folder() const {
    const int descriptor = openat(place_->folder->descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // A folder that may be written to but not read cannot be opened for this; the file itself is flushed.
    if (descriptor < 0)
      return errno == EACCES
                 ? Status()
                 : Status(fail(system_error(errno, "The folder of '" + printable(path_) + "' cannot be flushed")));
    const int flushed = fsync(descriptor);
    const int why = errno;
    ::close(descriptor);
    if (flushed != 0 && why != EINVAL)
      return fail(system_error(why, "The folder of '" + printable(path_) + "' cannot be flushed"));
    return {};
  }
  Status write(ByteView bytes) {
    if (!all_zero(bytes)) MILLRACE_TRY(write_all(descriptor_, bytes, size_, path_));
    size_ += bytes.size();
    return {};
  }
  std::optional<LocalPlace> place_;  ///< none: a spool, which stays without a name
  std::string path_;                 ///< for sentences
  std::string staging_;              ///< a name that is to be removed; empty while the draft has none
  std::string spare_name_;
  int descriptor_;
  std::shared_ptr<const Source> replaced_;  ///< what stands at the path; null: nothing
  std::shared_ptr<const Source> basis_;
  std::shared_ptr<const ChunkList> basis_chunks_;
  std::vector<std::uint64_t> offsets_;
  ChunkList chunks_;
  Buffer buffer_;
  std::uint64_t size_ = 0;
};

}  // namespace

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
  const auto both = times(attributes);
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

Result<std::unique_ptr<DownloadDraft>> open_file_draft(LocalPlace place, std::shared_ptr<const Source> replaced,
                                                       std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks, std::uint64_t random) {
  const int folder = place.folder->descriptor();
  // A file without a name vanishes with the process, however that ends. Not every file system can make one.
  int descriptor = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  // A short name of its own: the target's may be as long as names can be.
  const std::string name = ".millrace-" + std::to_string(random);
  const bool named = descriptor < 0;
  if (named) descriptor = openat(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return fail(system_error(errno, "A file beside '" + printable(place.shown()) + "' cannot be made"));
  return std::make_unique<FileDraft>(std::move(place), named ? name : std::string(), name, descriptor,
                                     std::move(replaced), std::move(basis), std::move(chunks));
}

Result<std::unique_ptr<DownloadDraft>> open_file_draft(const std::string& path, std::shared_ptr<const Source> replaced,
                                                       std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks, std::uint64_t random) {
  MILLRACE_ASSIGN(LocalPlace place, place_of(path));
  return open_file_draft(std::move(place), std::move(replaced), std::move(basis), std::move(chunks), random);
}

std::unique_ptr<DownloadDraft> make_spool_draft(int descriptor) {
  return std::make_unique<FileDraft>(std::nullopt, std::string(), std::string(), descriptor, nullptr, nullptr,
                                     std::make_shared<const ChunkList>());
}

Status set_attributes(const std::string& path, const Attributes& attributes) {
  const auto both = times(attributes);
  if (chmod(path.c_str(), attributes.mode & 0777) != 0 || utimensat(AT_FDCWD, path.c_str(), both.data(), 0) != 0) {
    return fail(system_error(errno, "Mode and time of '" + printable(path) + "' cannot be set"));
  }
  return {};
}

}  // namespace millrace
