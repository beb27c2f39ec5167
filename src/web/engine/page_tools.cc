#include "web/engine/page_tools.h"

#include <algorithm>

#include "web/engine/imports.h"

namespace millrace {

namespace {

class PageFile final : public Source {
 public:
  PageFile(std::uint32_t upload, std::uint64_t bytes) : upload_(upload), bytes_(bytes) {}

  std::uint64_t size() const override { return bytes_; }

  Status read_at(std::uint64_t offset, MutableBytes into) const override {
    if (into.empty()) return {};
    const bool fits = offset <= bytes_ && into.size() <= bytes_ - offset;
    if (fits &&
        page_read(upload_, static_cast<double>(offset), into.data(), static_cast<std::uint32_t>(into.size())) != 0)
      return {};
    return fail(Code::kSourceChanged, "The file cannot be read; it was changed or removed. Choose it again.");
  }

 private:
  std::uint32_t upload_;
  std::uint64_t bytes_;
};

class PageCodec final : public SegmentCodec {
 public:
  Result<Buffer> encode(ByteView raw, ByteView prefix, int level) override {
    Buffer coded(raw.size());
    const std::size_t size = page_compress(raw.data(), static_cast<std::uint32_t>(raw.size()), prefix.data(),
                                           static_cast<std::uint32_t>(prefix.size()), level, coded.data(),
                                           static_cast<std::uint32_t>(coded.size()));
    if (size >= raw.size()) return Buffer();
    coded.resize(size);
    return coded;
  }

  Result<Buffer> decode(ByteView, ByteView, std::size_t) override {
    return fail(Code::kInternal, "A page decompresses nothing.");
  }
};

}  // namespace

std::shared_ptr<const Source> make_page_file(std::uint32_t upload, std::uint64_t bytes) {
  return std::make_shared<PageFile>(upload, bytes);
}

std::unique_ptr<SegmentCodec> make_page_codec() {
  return std::make_unique<PageCodec>();
}

std::uint64_t page_random_number() {
  std::uint64_t number = 0;
  page_random(reinterpret_cast<std::uint8_t*>(&number), sizeof number);
  return number;
}

}  // namespace millrace
