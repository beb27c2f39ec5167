#include "store/upload_basis.h"

#include <algorithm>

#include "store/indexer.h"

namespace millrace {

namespace {

/// Of larger ones the tree of chunks would lose its lowest level, and could not be compared at all.
constexpr std::uint64_t kMostBytesTogether = std::uint64_t{64} << 30;

}  // namespace

UploadBasis::UploadBasis(std::shared_ptr<StoreParts> parts, std::shared_ptr<const PartialUploads::Lent> partial,
                         std::shared_ptr<const StoredFile> stored)
    : parts_(std::move(parts)),
      partial_(std::move(partial)),
      reader_(parts_->readers.add(partial_->path(), partial_->id())),
      stored_(std::move(stored)) {
  version_.bytes = partial_->bytes() + (stored_ ? stored_->size() : 0);
}

Result<std::shared_ptr<const File>> UploadBasis::file() const {
  if (auto kept = reader_->kept()) return kept;
  const auto get = [this](const Place& place) {
    return parts_->files.get(parts_->disk(), place, partial_->access(), partial_->id());
  };
  auto file = get(partial_->place());
  // Its upload may have been committed meanwhile, and that version replaced.
  if (!file) {
    if (auto committed = get({Area::kFiles, partial_->path()})) return *committed;
    if (auto kept = reader_->kept()) return kept;
  }
  if (!file) return fail(disk_error(file.error(), "open", partial_->place().path));
  return *file;
}

Status UploadBasis::read_at(std::uint64_t offset, MutableBytes into) const {
  const std::uint64_t border = partial_->bytes();
  const auto first =
      static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), offset < border ? border - offset : 0));
  if (first > 0) {
    MILLRACE_ASSIGN(const auto open, file());
    const auto got = parts_->disk().pread(*open, into.first(first), offset);
    if (!got || *got != first) {
      partial_->condemn();
      return fail(got ? Error{Code::kSourceChanged, "What is left of an earlier upload got shorter; try again."}
                      : disk_error(got.error(), "read", partial_->place().path));
    }
  }
  if (first == into.size()) return {};
  if (!stored_) return fail(Code::kUsage, "The basis ends before the requested range.");
  return stored_->read_at(offset + first - border, into.subspan(first));
}

Result<std::shared_ptr<const ChunkList>> UploadBasis::chunks() const {
  const std::lock_guard lock(mutex_);
  if (chunks_) return chunks_;
  const auto index = [this]() -> Result<ChunkList> {
    const auto hasher = parts_->hasher();
    MILLRACE_ASSIGN(const auto open, file());
    // As far as it went when it was lent: an upload that has not ended may still write behind that.
    FileStat so_far;
    so_far.bytes = partial_->bytes();
    FileIndexer indexer(partial_->place().path, so_far);
    MILLRACE_TRY(indexer.read_all(parts_->disk(), *open, *hasher));
    return std::move(indexer).chunks();
  };
  auto list = index();
  if (!list) {
    partial_->condemn();
    return fail(std::move(list).error());
  }
  if (stored_) {
    MILLRACE_ASSIGN(const auto more, stored_->chunks());
    list->insert(list->end(), more->begin(), more->end());
  }
  chunks_ = std::make_shared<const ChunkList>(std::move(*list));
  return chunks_;
}

std::shared_ptr<const StoredFile> upload_basis(const std::shared_ptr<StoreParts>& parts, const std::string& path,
                                               std::uint64_t announced_bytes,
                                               std::shared_ptr<const StoredFile> stored) {
  auto partial = parts->partials->lend(path, announced_bytes);
  if (!partial) return stored;
  if (stored && stored->size() + partial->bytes() > kMostBytesTogether) {
    if (stored->size() >= partial->bytes()) return stored;
    stored = nullptr;
  }
  return std::make_shared<UploadBasis>(parts, std::move(partial), std::move(stored));
}

}  // namespace millrace
