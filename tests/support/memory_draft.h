// A draft in memory.
#pragma once

#include <algorithm>

#include "delta/draft.h"

namespace millrace::test {

class MemoryDraft : public Draft {
 public:
  MemoryDraft(const Buffer& basis, const ChunkList& chunks) : basis_(basis), basis_chunks_(chunks) {}
  Status keep(std::uint64_t first, std::uint64_t count) override {
    std::uint64_t offset = 0;
    for (std::uint64_t i = 0; i < first; ++i) offset += basis_chunks_[i].length;
    for (std::uint64_t i = first; i < first + count; ++i) {
      append(content, ByteView(basis_).subspan(offset, basis_chunks_[i].length));
      offset += basis_chunks_[i].length;
      chunks_.push_back(basis_chunks_[i]);
    }
    return {};
  }
  Status add(std::span<const Chunk> chunks, ByteView bytes) override {
    chunks_.insert(chunks_.end(), chunks.begin(), chunks.end());
    append(content, bytes);
    return {};
  }
  Status add_zeros(const Chunk& chunk, std::uint64_t count) override {
    chunks_.insert(chunks_.end(), count, chunk);
    content.resize(content.size() + chunk.length * count, Byte{0});
    return {};
  }
  Status replace(std::uint64_t index, const Chunk& chunk, ByteView bytes) override {
    std::uint64_t offset = 0;
    for (std::uint64_t i = 0; i < index; ++i) offset += chunks_.at(i).length;
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
    chunks_.at(index) = chunk;
    return {};
  }
  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }
  std::uint64_t size() const override { return content.size(); }
  std::uint64_t chunk_count() const override { return chunks_.size(); }
  Result<Chunk> chunk_at(std::uint64_t index) const override { return chunks_.at(index); }
  Buffer content;

 private:
  const Buffer& basis_;
  const ChunkList& basis_chunks_;
  ChunkList chunks_;
};

}  // namespace millrace::test
