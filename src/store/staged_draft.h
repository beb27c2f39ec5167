// A draft in DIR/staging: written with large writes in target order; zero chunks become holes.
#pragma once

#include <atomic>

#include "delta/chunk_runs.h"
#include "store/committer.h"

namespace millrace {

class StagedDraft : public StoreDraft {
 public:
  /// Where it goes when it is complete.
  using Ready = std::function<void(ReadyDraft)>;

  /// `superseded` becomes true when another attempt took over; any thread may set it.
  StagedDraft(std::shared_ptr<StoreParts> parts, DraftRequest request, std::string name, FileId id, Ready ready,
              std::shared_ptr<const std::atomic<bool>> superseded, QuotaShare share = {},
              Sender sender = Sender::kReads);
  ~StagedDraft() override;

  Result<bool> copy_ahead(std::uint64_t bytes) override;
  Status keep(std::uint64_t first, std::uint64_t count) override;
  Status add(std::span<const Chunk> chunks, ByteView content) override;
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override;
  Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) override;
  Status read_at(std::uint64_t offset, MutableBytes into) const override;
  std::uint64_t size() const override { return size_; }
  std::uint64_t chunk_count() const override { return chunks_.size(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override;
  void commit(const Digest& root, std::uint64_t bytes, const Attributes& attributes, Committed done) override;
  void discard() override { useless_ = true; }

 private:
  /// For one job.
  Result<std::shared_ptr<const File>> file() const;
  Status still_wanted() const;
  Status may_grow(std::uint64_t bytes);
  Status write(ByteView bytes);
  /// So many bytes more are where they belong: in the file, or else in a hole.
  Status advance(std::uint64_t bytes);
  void grow(std::uint64_t bytes);
  Status write_back(std::uint64_t until);
  Status know_basis();
  /// Reads basis chunks, as many as belong into one write, of `first` up to `end`, into `content`, and checks them.
  Result<std::uint64_t> read_basis(std::uint64_t first, std::uint64_t end, Buffer& content);
  /// The basis's chunk that was copied ahead to the place of the next one, if one was.
  std::optional<std::uint64_t> next_ahead() const;
  /// What was copied ahead behind the last chunk goes.
  Status drop_ahead();
  Result<ReadyDraft> complete(const Digest& root, std::uint64_t bytes, const Attributes& attributes);
  /// From now on a later attempt can go on with what was written.
  void describe();
  std::shared_ptr<StoreParts> parts_;
  DraftRequest request_;
  std::string name_;
  FileId id_;
  Ready ready_;
  std::shared_ptr<const std::atomic<bool>> superseded_;
  const QuotaShare share_;
  const Sender sender_;
  ChunkRuns chunks_;
  std::vector<std::uint64_t> basis_offsets_;
  std::shared_ptr<const ChunkList> basis_chunks_;
  std::uint64_t size_ = 0;
  /// size_, for those that go on with this while it is written.
  std::shared_ptr<std::atomic<std::uint64_t>> written_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::uint64_t written_back_ = 0;  ///< up to here the disk was asked to write
  std::uint64_t file_bytes_ = 0;    ///< the staged file's length
  std::uint64_t ahead_ = 0;         ///< up to here it has the basis's bytes where nothing was written over them
  bool owns_name_ = true;
  std::atomic<bool> useless_{false};  ///< to a later attempt
  std::optional<bool> described_;     ///< whether it could be; empty: not tried yet
};

}  // namespace millrace
