#include "codec/sha256.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <cstdio>
#include <cstdlib>

#include "base/cpu.h"
#include "codec/crypto_library.h"
#include "codec/portable_sha256.h"
#include "codec/sha256_lanes.h"

namespace millrace {

namespace {

constexpr std::size_t kWorthLanes = 8;       ///< so many pieces at once are faster in lanes than with SHA-NI
constexpr std::size_t kWorthLanesAlone = 2;  ///< faster than in plain C++
/// How much faster several pieces are without OpenSSL than one: 2.1 times in plain C++.
constexpr std::size_t kSideBySide = 2;

/// Hashing can fail only when the crypto library is broken or out of memory: there is nothing sensible to go on with.
void require(int ok) {
  if (ok == 1) return;
  std::fputs("millrace: SHA-256 of the crypto library failed\n", stderr);
  std::abort();
}

Digest hash_with(const Sha256Functions& openssl, ByteView data) {
  Digest digest;
  SHA256_CTX context;
  require(openssl.init(&context));
  require(openssl.update(&context, data.data(), data.size()));
  require(openssl.finish(digest.bytes.data(), &context));
  return digest;
}

class Sha256 final : public Hasher {
 public:
  explicit Sha256(CryptoLibrary& library) : library_(library) {}

  Digest hash(ByteView data) override {
    const Sha256Functions* const openssl = library_.sha256_for(data.size());
    return openssl != nullptr ? hash_with(*openssl, data) : portable_->hash(data);
  }

  void hash_all(std::span<const ByteView> pieces, std::span<Digest> digests) override {
    if (pieces.empty()) return;
    if (pieces.size() >= kWorthLanes && use_avx512()) return sha256_lanes(pieces, digests);
    std::size_t bytes = 0;
    for (const ByteView piece : pieces) bytes += piece.size();
    const Sha256Functions* const openssl = library_.sha256_for(pieces.size() > 1 ? bytes / kSideBySide : bytes);
    if (openssl != nullptr) {
      Hasher::hash_all(pieces, digests);
    } else if (pieces.size() >= kWorthLanesAlone && use_avx512()) {
      sha256_lanes(pieces, digests);
    } else {
      portable_->hash_all(pieces, digests);
    }
  }

 private:
  CryptoLibrary& library_;
  const std::unique_ptr<Hasher> portable_ = make_portable_sha256();
};

}  // namespace

std::unique_ptr<Hasher> make_sha256_with(CryptoLibrary& library) {
  return std::make_unique<Sha256>(library);
}

std::unique_ptr<Hasher> make_sha256() {
  return make_sha256_with(CryptoLibrary::of_process());
}

}  // namespace millrace
