#include "codec/sha256.h"
#include "base/cpu.h"

#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>

#include "base/cpu.h"
#include "codec/sha256_lanes.h"

namespace millrace {

namespace {

/// Hashing can fail only when the crypto library is broken or out of memory: there is nothing sensible to go on with.
void require(int ok) {
  if (ok == 1) return;
  std::fputs("millrace: SHA-256 of the crypto library failed\n", stderr);
  std::abort();
}

const EVP_MD* sha256() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  require(algorithm != nullptr ? 1 : 0);
  return algorithm;
}

class Sha256 final : public Hasher {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) { require(context_ != nullptr ? 1 : 0); }

  Digest hash(ByteView data) override {
    Digest digest;
    require(EVP_DigestInit_ex2(context_.get(), sha256(), nullptr));
    require(EVP_DigestUpdate(context_.get(), data.data(), data.size()));
    require(EVP_DigestFinal_ex(context_.get(), digest.bytes.data(), nullptr));
    return digest;
  }

  void hash_all(std::span<const ByteView> pieces, std::span<Digest> digests) override {
    static constexpr std::size_t kWorthLanes = 8;
    if (pieces.size() >= kWorthLanes && use_avx512()) return sha256_lanes(pieces, digests);
    Hasher::hash_all(pieces, digests);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::unique_ptr<Hasher> make_sha256() {
  return std::make_unique<Sha256>();
}

}  // namespace millrace
