#include "client/file_draft.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "delta/chunk_runs.h"
#include "net/descriptor.h"

namespace millrace {

namespace {

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
  /// `staging` names the open file, or is empty while that has no name. Without a place: a spool.
  FileDraft(std::optional<LocalPlace> place, std::string staging, int descriptor, DraftPlace what,
            std::shared_ptr<const Source> basis, std::shared_ptr<const ChunkList> chunks)
      : place_(std::move(place)),
        path_(place_ ? place_->shown() : "the spool"),
        staging_(std::move(staging)),
        spare_name_(draft_name(what.random)),
        descriptor_(std::make_shared<const Descriptor>(descriptor)),
        replaced_(std::move(what.replaced)),
        partial_(std::move(what.partial)),
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
      chunks_.add(std::span(*basis_chunks_).subspan(at, end - at));
      at = end;
    }
    return {};
  }
  Status add(std::span<const Chunk> chunks, ByteView content) override {
    chunks_.add(chunks);
    added_ += content.size();
    return write(content);
  }
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override {
    chunks_.add(chunk, count);
    size_ += std::uint64_t{chunk.length} * count;
    return {};
  }
  Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) override {
    if (index >= chunks_.size() || chunks_.at(index).length != chunk.length || !chunks_.replace(index, chunk))
      return fail(Code::kUsage, "There is no such chunk to replace.");
    return write_all(file(), content, chunks_.offset_of(index), path_);
  }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    if (offset + into.size() > size_) return fail(Code::kUsage, "The draft is not that long yet.");
    while (!into.empty()) {
      const ssize_t got = pread(file(), into.data(), into.size(), static_cast<off_t>(offset));
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
  Result<Chunk> chunk_at(std::uint64_t index) const override {
    if (index >= chunks_.size()) return fail(Code::kUsage, "The draft has no such chunk.");
    return chunks_.at(index);
  }

  Status commit(const Version& version) override {
    MILLRACE_TRY(still_in_place());
    const auto both = times_of(version.attributes);
    if (ftruncate(file(), static_cast<off_t>(size_)) != 0 || fchmod(file(), version.attributes.mode & 0777) != 0 ||
        futimens(file(), both.data()) != 0 || fsync(file()) != 0) {
      return fail(system_error(errno, "'" + printable(path_) + "' cannot be finished"));
    }
    if (!place_) return {};
    if (partial_ && partial_->give_up(descriptor_, spare_name_)) staging_ = spare_name_;
    MILLRACE_TRY(take_place());
    if (partial_) partial_->remove();
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
  Status take_place() {
    if (!replaced_) {
      MILLRACE_ASSIGN(const bool placed, place_new());
      if (placed) return {};
    }
    MILLRACE_TRY(give_name());
    MILLRACE_TRY(still_in_place());
    const int folder = place_->folder->descriptor();
    if (renameat(folder, staging_.c_str(), folder, place_->name.c_str()) != 0)
      return fail(system_error(errno, "'" + printable(path_) + "' cannot be put in its place"));
    staging_.clear();
    return {};
  }
  bool link_to(const std::string& name) const {
    const int folder = place_->folder->descriptor();
    if (!staging_.empty()) return linkat(folder, staging_.c_str(), folder, name.c_str(), 0) == 0;
    const std::string self = "/proc/self/fd/" + std::to_string(file());
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
    const Descriptor folder(openat(place_->folder->descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // A folder that may be written to but not read cannot be opened for this; the file itself is flushed.
    if (!folder.is_open())
      return errno == EACCES
                 ? Status()
                 : Status(fail(system_error(errno, "The folder of '" + printable(path_) + "' cannot be flushed")));
    if (fsync(folder.number()) != 0 && errno != EINVAL)
      return fail(system_error(errno, "The folder of '" + printable(path_) + "' cannot be flushed"));
    return {};
  }
  Status write(ByteView bytes) {
    if (!all_zero(bytes)) {
      if (auto written = write_all(file(), bytes, size_, path_); !written) {
        // Two copies of what there is would not fit the next time either.
        if (partial_ && written.error().code == Code::kQuota) partial_->remove();
        return written;
      }
    }
    size_ += bytes.size();
    if (partial_ && !is_decided_ && size_ >= kLeastPartialDownload) keep_partial();
    return {};
  }
  /// From here on what there is outlives this draft.
  void keep_partial() {
    const auto kept = partial_->keep(descriptor_, staging_, spare_name_, size_, added_);
    if (kept == PartialDownload::Kept::kNotYet) return;
    is_decided_ = true;
    if (kept == PartialDownload::Kept::kYes) staging_.clear();
    sweep_partial_downloads(*place_->folder);
  }
  int file() const { return descriptor_->number(); }
  std::optional<LocalPlace> place_;  ///< none: a spool, which stays without a name
  std::string path_;                 ///< for sentences
  std::string staging_;              ///< a name that is to be removed; empty while the draft has none
  std::string spare_name_;
  std::shared_ptr<const Descriptor> descriptor_;
  std::shared_ptr<const Source> replaced_;    ///< what stands at the path; null: nothing
  std::shared_ptr<PartialDownload> partial_;  ///< null: none is kept
  std::shared_ptr<const Source> basis_;
  std::shared_ptr<const ChunkList> basis_chunks_;
  std::vector<std::uint64_t> offsets_;
  ChunkRuns chunks_;
  Buffer buffer_;
  std::uint64_t size_ = 0;
  std::uint64_t added_ = 0;  ///< of that, what the basis did not have
  bool is_decided_ = false;  ///< whether this is kept
};

}  // namespace

void set_basis(DownloadTarget& target, const DraftPlace& what) {
  auto left = what.partial ? what.partial->left() : nullptr;
  target.basis = joined_basis(std::move(left), what.replaced);
  target.basis_is = target.basis == what.replaced ? BasisIs::kAtPlace : BasisIs::kElsewhere;
}

Result<std::unique_ptr<DownloadDraft>> open_file_draft(LocalPlace place, DraftPlace what,
                                                       std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks) {
  const int folder = place.folder->descriptor();
  // A file without a name vanishes with the process, however that ends. Not every file system can make one.
  int descriptor = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  // A short name of its own: the target's may be as long as names can be.
  const std::string name = draft_name(what.random);
  const bool named = descriptor < 0;
  if (named) descriptor = openat(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return fail(system_error(errno, "A file beside '" + printable(place.shown()) + "' cannot be made"));
  // Nobody takes what is locked for something that was left behind.
  (void)flock(descriptor, LOCK_EX | LOCK_NB);
  return std::make_unique<FileDraft>(std::move(place), named ? name : std::string(), descriptor, std::move(what),
                                     std::move(basis), std::move(chunks));
}

Result<std::unique_ptr<DownloadDraft>> open_file_draft(const std::string& path, DraftPlace what,
                                                       std::shared_ptr<const Source> basis,
                                                       std::shared_ptr<const ChunkList> chunks) {
  MILLRACE_ASSIGN(LocalPlace place, place_of(path));
  return open_file_draft(std::move(place), std::move(what), std::move(basis), std::move(chunks));
}

std::unique_ptr<DownloadDraft> make_spool_draft(int descriptor) {
  return std::make_unique<FileDraft>(std::nullopt, std::string(), descriptor, DraftPlace{}, nullptr,
                                     std::make_shared<const ChunkList>());
}

}  // namespace millrace
