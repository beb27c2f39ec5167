// A draft in DIR/staging: written with large writes in target order; zero chunks become holes.
#pragma once

#include <atomic>

#include "delta/chunk_tree.h"
#include "store/stored_file.h"

namespace millrace {

class StagedDraft : public StoreDraft {
 public:
  /// Makes the commit: given the finished staging file. See directory_store.cc.
  using Committer = std::function<Result<Version>(StagedDraft&, const Digest&, const Attributes&)>;

  /// `superseded` becomes true when another attempt took over; any thread may set it.
  StagedDraft(std::shared_ptr<StoreParts> parts, DraftRequest request, std::string name, FileId id, Committer committer,
              std::shared_ptr<const std::atomic<bool>> superseded);
  ~StagedDraft() override;

  Status keep(std::uint64_t first, std::uint64_t count) override;
  Status add(std::span<const Chunk> chunks, ByteView content) override;
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override;
  Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) override;
  Status read_at(std::uint64_t offset, MutableBytes into) const override;
  std::uint64_t size() const override { return size_; }
  std::uint64_t chunk_count() const override { return chunks_.size(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override;
  Result<Version> commit(const Digest& root, std::uint64_t bytes, const Attributes& attributes) override;
  void discard() override { useless_ = true; }

  const DraftRequest& request() const { return request_; }
  const std::string& name() const { return name_; }  ///< in staging
  /// For one job.
  Result<std::shared_ptr<const File>> file() const;
  const ChunkList& chunks() const { return chunks_; }
  Status still_wanted() const;
  /// The staging name is no longer ours to remove.
  void release() { owns_name_ = false; }

 private:
  Status write(ByteView bytes);
  /// From now on a later attempt can go on with what was written.
  void describe();
  std::shared_ptr<StoreParts> parts_;
  DraftRequest request_;
  std::string name_;
  FileId id_;
  Committer committer_;
  std::shared_ptr<const std::atomic<bool>> superseded_;
  ChunkList chunks_;
  std::vector<std::uint64_t> basis_offsets_;
  std::shared_ptr<const ChunkList> basis_chunks_;
  Buffer buffer_;  ///< for copies out of the basis
  std::uint64_t size_ = 0;
  std::uint64_t written_back_ = 0;
  bool owns_name_ = true;
  std::atomic<bool> useless_{false};  ///< to a later attempt
  std::optional<bool> described_;     ///< whether it could be; empty: not tried yet
};

}  // namespace millrace
