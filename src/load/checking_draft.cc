#include "load/checking_draft.h"

#include <algorithm>

namespace millrace {

namespace {

class CheckingDraft final : public DownloadDraft {
 public:
  CheckingDraft(std::shared_ptr<const Source> expected, std::shared_ptr<const ChunkList> basis_chunks)
      : expected_(std::move(expected)), basis_chunks_(std::move(basis_chunks)) {}

  Status keep(std::uint64_t first, std::uint64_t count) override {
    if (!basis_chunks_ || first > basis_chunks_->size() || count > basis_chunks_->size() - first)
      return fail(Code::kUsage, "Chunks were named that the basis does not have.");
    // Their digests go into the root, which is compared at the end.
    for (std::uint64_t i = first; i < first + count; ++i) push((*basis_chunks_)[i]);
    return {};
  }

  Status add(std::span<const Chunk> chunks, ByteView content) override {
    MILLRACE_TRY(compare(content));
    for (const Chunk& chunk : chunks) push(chunk);
    return {};
  }

  Status add_zeros(const Chunk& chunk, std::uint64_t count) override {
    const Buffer zeros(chunk.length, Byte{0});
    for (std::uint64_t i = 0; i < count; ++i) {
      MILLRACE_TRY(compare(zeros));
      push(chunk);
    }
    return {};
  }

  Status replace(std::uint64_t, const Chunk&, ByteView) override {
    return fail(Code::kInternal, "A download's chunks are not replaced.");
  }

  Status read_at(std::uint64_t offset, MutableBytes into) const override { return expected_->read_at(offset, into); }
  std::uint64_t size() const override { return bytes_; }
  std::uint64_t chunk_count() const override { return chunks_.size(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override { return chunks_.at(index); }

  Status commit(const Version&) override {
    if (bytes_ != expected_->size()) return fail(differs());
    return {};
  }

 private:
  static Error differs() { return {Code::kIntegrity, "What the server sent is not what the client had uploaded."}; }

  Status compare(ByteView content) {
    if (bytes_ > expected_->size() || content.size() > expected_->size() - bytes_) return fail(differs());
    Buffer wanted(content.size());
    MILLRACE_TRY(expected_->read_at(bytes_, wanted));
    if (!std::equal(content.begin(), content.end(), wanted.begin())) return fail(differs());
    return {};
  }

  void push(const Chunk& chunk) {
    chunks_.push_back(chunk);
    bytes_ += chunk.length;
  }

  std::shared_ptr<const Source> expected_;
  std::shared_ptr<const ChunkList> basis_chunks_;
  ChunkList chunks_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<DownloadDraft> make_checking_draft(std::shared_ptr<const Source> expected,
                                                   std::shared_ptr<const ChunkList> basis_chunks) {
  return std::make_unique<CheckingDraft>(std::move(expected), std::move(basis_chunks));
}

}  // namespace millrace
