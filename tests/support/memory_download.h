// Where a download is built in memory. What was committed is put into a buffer of the test's.
#pragma once

#include <limits>

#include "support/memory_draft.h"
#include "sync/download_client.h"

namespace millrace::test {

class MemoryDownload final : public DownloadDraft {
 public:
  /// `most_bytes`: more is refused (kQuota), as on a disk that is full.
  MemoryDownload(Buffer basis, std::shared_ptr<const ChunkList> chunks, Buffer& result,
                 std::uint64_t most_bytes = std::numeric_limits<std::uint64_t>::max())
      : basis_(std::move(basis)),
        chunks_(std::move(chunks)),
        draft_(basis_, *chunks_),
        result_(result),
        most_bytes_(most_bytes) {}
  Status keep(std::uint64_t first, std::uint64_t count) override { return fits(draft_.keep(first, count)); }
  Status add(std::span<const Chunk> chunks, ByteView content) override { return fits(draft_.add(chunks, content)); }
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override {
    if (count > (most_bytes_ - draft_.size()) / chunk.length) return full();
    return draft_.add_zeros(chunk, count);
  }
  Status replace(std::uint64_t index, const Chunk& chunk, ByteView content) override {
    return draft_.replace(index, chunk, content);
  }
  Status read_at(std::uint64_t offset, MutableBytes into) const override { return draft_.read_at(offset, into); }
  std::uint64_t size() const override { return draft_.size(); }
  std::uint64_t chunk_count() const override { return draft_.chunk_count(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override { return draft_.chunk_at(index); }
  Status commit(const Version&) override {
    result_ = draft_.content;
    return {};
  }

 private:
  static tl::unexpected<Error> full() { return fail(Code::kQuota, "That is more than fits."); }
  Status fits(Status done) const {
    if (done && draft_.size() > most_bytes_) return full();
    return done;
  }
  Buffer basis_;
  std::shared_ptr<const ChunkList> chunks_;
  MemoryDraft draft_;
  Buffer& result_;
  const std::uint64_t most_bytes_;
};

/// As DownloadTarget::open_draft: `basis` and `chunks` may be null. `result` outlives the download.
inline Result<std::unique_ptr<DownloadDraft>> open_memory_download(
    const std::shared_ptr<const Source>& basis, std::shared_ptr<const ChunkList> chunks, Buffer& result,
    std::uint64_t most_bytes = std::numeric_limits<std::uint64_t>::max()) {
  Buffer held(basis ? basis->size() : 0);
  if (basis) MILLRACE_TRY(basis->read_at(0, held));
  if (!chunks) chunks = std::make_shared<const ChunkList>();
  return std::make_unique<MemoryDownload>(std::move(held), std::move(chunks), result, most_bytes);
}

}  // namespace millrace::test
