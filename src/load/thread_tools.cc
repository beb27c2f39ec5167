#include "load/thread_tools.h"

#include "codec/sha256.h"
#include "codec/zstd_codec.h"

namespace millrace {

namespace {

class ThreadHasher final : public Hasher {
 public:
  Digest hash(ByteView data) override { return own().hash(data); }
  void hash_all(std::span<const ByteView> pieces, std::span<Digest> digests) override {
    own().hash_all(pieces, digests);
  }

 private:
  static Hasher& own() {
    thread_local const std::unique_ptr<Hasher> hasher = make_sha256();
    return *hasher;
  }
};

class ThreadCodec final : public SegmentCodec {
 public:
  Result<Buffer> encode(ByteView raw, ByteView prefix, int level) override { return own().encode(raw, prefix, level); }
  Result<Buffer> decode(ByteView coded, ByteView prefix, std::size_t raw_bytes) override {
    return own().decode(coded, prefix, raw_bytes);
  }

 private:
  static SegmentCodec& own() {
    thread_local const std::unique_ptr<SegmentCodec> codec = make_zstd_codec();
    return *codec;
  }
};

}  // namespace

std::unique_ptr<Hasher> thread_hasher() {
  return std::make_unique<ThreadHasher>();
}

std::unique_ptr<SegmentCodec> thread_codec() {
  return std::make_unique<ThreadCodec>();
}

}  // namespace millrace
