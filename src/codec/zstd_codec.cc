#include "codec/zstd_codec.h"

#include <zstd.h>

#include <algorithm>
#include <bit>

namespace millrace {

namespace {

constexpr int kMaxWindowLog = 24;
constexpr int kMaxTableLog = 21;  ///< entries of hash and chain tables: bounds a context's memory

class ZstdCodec final : public SegmentCodec {
 public:
  Result<Buffer> encode(ByteView raw, ByteView prefix, int level) override {
    if (!encoder_) encoder_.reset(ZSTD_createCCtx());
    if (!encoder_) return fail(Code::kFailed, "There is no memory for a compressor.");
    ZSTD_CCtx_reset(encoder_.get(), ZSTD_reset_session_and_parameters);
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_windowLog,
        std::clamp(static_cast<int>(std::bit_width(raw.size() + prefix.size() - 1)), 10, kMaxWindowLog));
    set(ZSTD_c_hashLog, std::clamp(static_cast<int>(std::bit_width(raw.size() + prefix.size())), 12, kMaxTableLog));
    set(ZSTD_c_chainLog, std::clamp(static_cast<int>(std::bit_width(raw.size() + prefix.size())), 12, kMaxTableLog));
    set(ZSTD_c_contentSizeFlag, 0);
    set(ZSTD_c_dictIDFlag, 0);
    if (!prefix.empty()) ZSTD_CCtx_refPrefix(encoder_.get(), prefix.data(), prefix.size());
    Buffer coded(ZSTD_compressBound(raw.size()));
    const std::size_t size = ZSTD_compress2(encoder_.get(), coded.data(), coded.size(), raw.data(), raw.size());
    if (ZSTD_isError(size))
      return fail(Code::kInternal, std::string("The compressor failed: ") + ZSTD_getErrorName(size));
    if (size >= raw.size()) return Buffer();
    coded.resize(size);
    return coded;
  }

  Result<Buffer> decode(ByteView coded, ByteView prefix, std::size_t raw_bytes) override {
    if (!decoder_) decoder_.reset(ZSTD_createDCtx());
    if (!decoder_) return fail(Code::kFailed, "There is no memory for a decompressor.");
    ZSTD_DCtx_reset(decoder_.get(), ZSTD_reset_session_and_parameters);
    ZSTD_DCtx_setParameter(decoder_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
    if (!prefix.empty()) ZSTD_DCtx_refPrefix(decoder_.get(), prefix.data(), prefix.size());
    Buffer raw(raw_bytes);
    const std::size_t size = ZSTD_decompressDCtx(decoder_.get(), raw.data(), raw.size(), coded.data(), coded.size());
    if (ZSTD_isError(size) || size != raw_bytes)
      return fail(Code::kProtocol, "A segment of literals cannot be decompressed.");
    return raw;
  }

 private:
  void set(ZSTD_cParameter parameter, int value) { ZSTD_CCtx_setParameter(encoder_.get(), parameter, value); }

  struct FreeEncoder {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  struct FreeDecoder {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, FreeEncoder> encoder_;
  std::unique_ptr<ZSTD_DCtx, FreeDecoder> decoder_;
};

}  // namespace

std::unique_ptr<SegmentCodec> make_zstd_codec() {
  return std::make_unique<ZstdCodec>();
}

}  // namespace millrace
