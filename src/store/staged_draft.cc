#include "store/staged_draft.h"

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "codec/xxh3.h"
#include "delta/draft_root.h"

namespace millrace {

namespace {
constexpr std::uint64_t kCopyBytes = 1u << 20;
constexpr std::uint64_t kWritebackBytes = 8u << 20;
constexpr std::size_t kHoleBytes = 4096;
}  // namespace

StagedDraft::StagedDraft(std::shared_ptr<StoreParts> parts, DraftRequest request, std::string name, FileId id,
                         Ready ready, std::shared_ptr<const std::atomic<bool>> superseded, QuotaShare share,
                         Sender sender)
    : parts_(std::move(parts)),
      request_(std::move(request)),
      name_(std::move(name)),
      id_(id),
      ready_(std::move(ready)),
      superseded_(std::move(superseded)),
      share_(std::move(share)),
      sender_(sender) {}

StagedDraft::~StagedDraft() {
  // What a later attempt goes on with is what has come; the rest stands in the stored version.
  if (owns_name_ && described_.value_or(false)) (void)drop_ahead();
  parts_->files.forget(id_);
  const DraftEnd how = !owns_name_                ? DraftEnd::kCommitted
                       : useless_ || *superseded_ ? DraftEnd::kUseless
                                                  : DraftEnd::kCut;
  parts_->partials->end(name_, request_.path, described_.value_or(false), how);
}

Result<std::shared_ptr<const File>> StagedDraft::file() const {
  auto file = parts_->files.get(parts_->disk(), {Area::kStaging, name_}, Access::kReadWrite, id_);
  if (!file) return fail(disk_error(file.error(), "open the new version of", request_.path));
  return *file;
}

Status StagedDraft::still_wanted() const {
  if (!*superseded_) return {};
  return fail(Code::kConflict,
              "A newer attempt to upload '" + printable(request_.path) + "' has taken over from this one.");
}

/// By so many bytes. What others have committed meanwhile counts too: there is no use in taking what cannot be
/// committed.
Status StagedDraft::may_grow(std::uint64_t bytes) {
  if (share_.quota.bytes == 0) return {};
  const auto more = static_cast<std::int64_t>(size_ + bytes) - static_cast<std::int64_t>(share_.replaced_bytes);
  Status fits = fits_quota(share_, parts_->catalogue->usage(share_.account), more, 0, request_.path);
  if (!fits) useless_ = true;
  return fits;
}

Status StagedDraft::write(ByteView bytes) {
  MILLRACE_TRY(still_wanted());
  MILLRACE_TRY(may_grow(bytes.size()));
  const bool leaves_hole = size_ >= ahead_ && bytes.size() >= kHoleBytes &&
                           all_zero(bytes.first(std::min<std::size_t>(bytes.size(), 64))) && all_zero(bytes);
  if (leaves_hole) {
    grow(bytes.size());
    return {};
  }
  MILLRACE_ASSIGN(const auto open, file());
  auto written = parts_->disk().pwrite(*open, bytes, size_);
  if (!written && written.error() == ENOSPC && parts_->make_room(bytes.size()))
    written = parts_->disk().pwrite(*open, bytes, size_);
  if (!written) {
    useless_ = true;
    return fail(disk_error(written.error(), "write the new version of", request_.path));
  }
  file_bytes_ = std::max(file_bytes_, size_ + bytes.size());
  return advance(bytes.size());
}

void StagedDraft::grow(std::uint64_t bytes) {
  size_ += bytes;
  *written_ = size_;
}

Status StagedDraft::advance(std::uint64_t bytes) {
  if (size_ >= parts_->partials->least_bytes() && !described_) describe();
  grow(bytes);
  return write_back(size_);
}

/// Only a hint: the flush at commit is what counts.
Status StagedDraft::write_back(std::uint64_t until) {
  if (parts_->durability != Durability::kFull || until < written_back_ + kWritebackBytes) return {};
  MILLRACE_ASSIGN(const auto open, file());
  (void)parts_->disk().start_writeback(*open, written_back_, until - written_back_);
  written_back_ = until;
  return {};
}

void StagedDraft::describe() {
  UploadJob job;
  job.path = request_.path;
  job.expected = request_.expected;
  job.upload_id = request_.upload_id;
  job.attempt = request_.attempt;
  job.announced_bytes = request_.bytes;
  job.inode = id_.inode;
  described_ = parts_->partials->describe(name_, std::move(job), written_);
}

Status StagedDraft::know_basis() {
  if (basis_chunks_) return {};
  MILLRACE_ASSIGN(basis_chunks_, request_.basis->chunks());
  basis_offsets_ = offsets_of(*basis_chunks_);
  return {};
}

Result<std::uint64_t> StagedDraft::read_basis(std::uint64_t first, std::uint64_t end, Buffer& content) {
  std::uint64_t stop = first;
  std::uint64_t bytes = 0;
  while (stop < end && (bytes == 0 || bytes + (*basis_chunks_)[stop].length <= kCopyBytes))
    bytes += (*basis_chunks_)[stop++].length;
  content.resize(bytes);
  MILLRACE_TRY(request_.basis->read_at(basis_offsets_[first], content));
  std::unique_ptr<Hasher> hasher;
  ByteView rest(content);
  for (std::uint64_t at = first; at < stop; ++at) {
    const Chunk& chunk = (*basis_chunks_)[at];
    const ByteView piece = rest.first(chunk.length);
    rest = rest.subspan(chunk.length);
    if (chunk.check != 0) parts_->checked_bytes.add(piece.size());
    if (chunk.check == 0 && !hasher) hasher = parts_->hasher();
    const bool intact = chunk.check != 0 ? xxh3_64(piece) == chunk.check : hasher->hash(piece) == chunk.digest;
    if (!intact)
      return fail(Code::kIntegrity, "The stored version of '" + printable(request_.path) + "' is damaged at byte " +
                                        std::to_string(basis_offsets_[at]) + "; upload it with --whole-file.");
  }
  return stop;
}

Result<bool> StagedDraft::copy_ahead(std::uint64_t bytes) {
  MILLRACE_TRY(still_wanted());
  if (!request_.basis || size_ > 0 || !know_basis()) return false;
  // Whole chunks that end there or before.
  const auto chunks_until = [this](std::uint64_t offset) {
    const auto after = std::upper_bound(basis_offsets_.begin(), basis_offsets_.end(), offset);
    return static_cast<std::uint64_t>(after - basis_offsets_.begin()) - 1;
  };
  const std::uint64_t all = chunks_until(request_.bytes);
  const std::uint64_t begin = chunks_until(ahead_);
  const std::uint64_t end = std::min(std::max(chunks_until(ahead_ + bytes), begin + 1), all);
  Buffer content;
  for (std::uint64_t at = begin; at < end;) {
    const auto stop = read_basis(at, end, content);
    // Damaged, or not to be read: whether that matters is for keep() to find out.
    if (!stop) return false;
    if (!all_zero(content)) {
      MILLRACE_ASSIGN(const auto open, file());
      if (!parts_->disk().pwrite(*open, content, ahead_)) {
        MILLRACE_TRY(drop_ahead());
        return false;
      }
      file_bytes_ = ahead_ + content.size();
    }
    ahead_ += content.size();
    MILLRACE_TRY(write_back(ahead_));
    at = *stop;
  }
  return end < all;
}

std::optional<std::uint64_t> StagedDraft::next_ahead() const {
  if (size_ >= ahead_) return std::nullopt;
  const auto found = std::lower_bound(basis_offsets_.begin(), basis_offsets_.end(), size_);
  if (*found != size_ || *std::next(found) > ahead_) return std::nullopt;
  return static_cast<std::uint64_t>(found - basis_offsets_.begin());
}

Status StagedDraft::drop_ahead() {
  if (ahead_ <= size_) return {};
  ahead_ = size_;
  written_back_ = std::min(written_back_, size_);
  if (file_bytes_ <= size_) return {};
  MILLRACE_ASSIGN(const auto open, file());
  if (const auto cut = parts_->disk().truncate(*open, size_); !cut)
    return fail(disk_error(cut.error(), "size the new version of", request_.path));
  file_bytes_ = size_;
  return {};
}

Status StagedDraft::keep(std::uint64_t first, std::uint64_t count) {
  if (!request_.basis) return fail(Code::kUsage, "There is no basis to keep chunks of.");
  MILLRACE_TRY(know_basis());
  if (first >= basis_chunks_->size() || count > basis_chunks_->size() - first)
    return fail(Code::kUsage, "The basis does not have the chunks to keep.");
  Buffer buffer;  // not the draft's: a thousand of them wait at once for their next job
  for (std::uint64_t at = first; at < first + count;) {
    std::uint64_t stop = at;
    if (next_ahead() == at) {
      while (stop < first + count && basis_offsets_[stop + 1] <= ahead_) ++stop;
      const std::uint64_t bytes = basis_offsets_[stop] - basis_offsets_[at];
      MILLRACE_TRY(still_wanted());
      MILLRACE_TRY(may_grow(bytes));
      MILLRACE_TRY(advance(bytes));
    } else {
      const auto read = read_basis(at, first + count, buffer);
      if (!read) {
        if (read.error().code == Code::kIntegrity) useless_ = true;
        return fail(read.error());
      }
      stop = *read;
      MILLRACE_TRY(write(buffer));
    }
    for (; at < stop; ++at) chunks_.add((*basis_chunks_)[at]);
  }
  return {};
}

Status StagedDraft::add(std::span<const Chunk> chunks, ByteView content) {
  ByteView rest = content;
  for (Chunk chunk : chunks) {
    if (chunk.check == 0) chunk.check = xxh3_64(rest.first(chunk.length));
    rest = rest.subspan(chunk.length);
    chunks_.add(chunk);
  }
  return write(content);
}

Status StagedDraft::add_zeros(const Chunk& chunk, std::uint64_t count) {
  std::uint64_t bytes = std::uint64_t{chunk.length} * count;
  MILLRACE_TRY(may_grow(bytes));
  Chunk checked = chunk;
  checked.check = xxh3_64(Buffer(chunk.length, Byte{0}));
  chunks_.add(checked, count);
  for (std::uint64_t left = count; left > 0 && size_ < ahead_; --left) {
    const auto there = next_ahead();
    if (!there || (*basis_chunks_)[*there].digest != chunk.digest) break;
    grow(chunk.length);
    bytes -= chunk.length;
  }
  if (bytes == 0) return {};
  MILLRACE_TRY(drop_ahead());
  grow(bytes);
  return {};
}

Status StagedDraft::replace(std::uint64_t index, const Chunk& chunk, ByteView content) {
  if (index >= chunks_.size() || chunks_.at(index).length != chunk.length)
    return fail(Code::kUsage, "There is no such chunk to replace.");
  if (described_ && !parts_->partials->withdraw(name_, request_.path))
    return fail(Code::kConflict,
                "Another upload of '" + printable(request_.path) + "' goes on with this one; try again.");
  MILLRACE_ASSIGN(const auto open, file());
  const auto written = parts_->disk().pwrite(*open, content, chunks_.offset_of(index));
  if (!written) return fail(disk_error(written.error(), "write the new version of", request_.path));
  Chunk checked = chunk;
  checked.check = xxh3_64(content);
  if (!chunks_.replace(index, checked)) return fail(Code::kUsage, "A chunk of a hole cannot be replaced.");
  return {};
}

Status StagedDraft::read_at(std::uint64_t offset, MutableBytes into) const {
  if (offset + into.size() > size_) return fail(Code::kUsage, "The draft is not that long yet.");
  MILLRACE_ASSIGN(const auto open, file());
  const auto got = parts_->disk().pread(*open, into, offset);
  if (!got) return fail(disk_error(got.error(), "read the new version of", request_.path));
  // Behind the last write there may be a hole that the file does not reach yet.
  std::fill(into.begin() + static_cast<std::ptrdiff_t>(*got), into.end(), Byte{0});
  return {};
}

Result<Chunk> StagedDraft::chunk_at(std::uint64_t index) const {
  if (index >= chunks_.size()) return fail(Code::kUsage, "The draft has no such chunk.");
  return chunks_.at(index);
}

void StagedDraft::commit(const Digest& root, std::uint64_t bytes, const Attributes& attributes, Committed done) {
  // Whatever comes of it: all of it was there, and another attempt would end in the same way.
  useless_ = true;
  auto ready = complete(root, bytes, attributes);
  if (!ready) return done(fail(ready.error()));
  owns_name_ = false;
  ready->done = std::move(done);
  ready_(std::move(*ready));
}

Result<ReadyDraft> StagedDraft::complete(const Digest& root, std::uint64_t bytes, const Attributes& attributes) {
  const auto hasher = parts_->hasher();
  MILLRACE_ASSIGN(const Digest built, root_of(*this, *hasher));
  if (bytes != size_ || built != root) {
    return fail(Code::kIntegrity,
                "What was built of '" + printable(request_.path) +
                    "' is not what its sender has; the stored version is unchanged; try again with --whole-file.");
  }
  MILLRACE_TRY(still_wanted());
  const auto check = [&](const auto& result, const char* what) -> Status {
    if (result) return {};
    return fail(disk_error(result.error(), what, request_.path));
  };
  Disk& disk = parts_->disk();
  MILLRACE_ASSIGN(const auto open, file());
  if (file_bytes_ != size_) MILLRACE_TRY(check(disk.truncate(*open, size_), "size the new version of"));
  MILLRACE_TRY(check(disk.set_attributes(*open, disk_mode(attributes), attributes.mtime_ns), "set mode and time of"));
  ReadyDraft ready;
  MILLRACE_TRY(hold_content(*parts_, *open, size_, request_.path, ready));
  const auto stat = disk.stat_file(*open);
  MILLRACE_TRY(check(stat, "stat the new version of"));
  ready.chunk_row = parts_->chunk_row(root, chunks_);
  ready.path = request_.path;
  ready.expected = request_.expected;
  ready.staged = name_;
  ready.stat = *stat;
  ready.root = root;
  ready.attributes = attributes;
  ready.superseded = superseded_;
  ready.share = share_;
  ready.sender = sender_;
  return ready;
}

}  // namespace millrace
