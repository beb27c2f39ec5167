// Where a simulated client builds what it downloads.
#pragma once

#include "support/memory_draft.h"
#include "sync/download_client.h"

namespace millrace::simulation {

class DownloadInMemory final : public DownloadDraft {
 public:
  DownloadInMemory(Buffer basis, std::shared_ptr<const ChunkList> chunks, std::shared_ptr<Buffer> result)
      : basis_(std::move(basis)), chunks_(std::move(chunks)), draft_(basis_, *chunks_), result_(std::move(result)) {}
  Status keep(std::uint64_t first, std::uint64_t count) override { return draft_.keep(first, count); }
  Status add(std::span<const Chunk> chunks, ByteView content) override { return draft_.add(chunks, content); }
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override { return draft_.add_zeros(chunk, count); }
  Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) override {
    return draft_.replace(index, chunk, content);
  }
  Status read_at(std::uint64_t offset, MutableBytes into) const override { return draft_.read_at(offset, into); }
  std::uint64_t size() const override { return draft_.size(); }
  std::uint64_t chunk_count() const override { return draft_.chunk_count(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override { return draft_.chunk_at(index); }
  Status commit(const Version&) override {
    *result_ = draft_.content;
    return {};
  }

 private:
  Buffer basis_;
  std::shared_ptr<const ChunkList> chunks_;
  test::MemoryDraft draft_;
  std::shared_ptr<Buffer> result_;
};

inline Result<std::unique_ptr<DownloadDraft>> open_download(const std::shared_ptr<const Source>& basis,
                                                            std::shared_ptr<const ChunkList> chunks,
                                                            std::shared_ptr<Buffer> result) {
  Buffer held(basis ? basis->size() : 0);
  if (basis) MILLRACE_TRY(basis->read_at(0, held));
  if (!chunks) chunks = std::make_shared<const ChunkList>();
  return std::make_unique<DownloadInMemory>(std::move(held), std::move(chunks), std::move(result));
}

}  // namespace millrace::simulation
