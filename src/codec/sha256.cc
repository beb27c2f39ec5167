#include "codec/sha256.h"

// The functions below EVP: fetching an algorithm has OpenSSL read its configuration and register some hundred others,
// half as much work again as the rest of a short command of the client. They are declared deprecated, not less tested:
// EVP's SHA-256 calls them.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

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

class Sha256 final : public Hasher {
 public:
  Digest hash(ByteView data) override {
    Digest digest;
    SHA256_CTX context;
    require(SHA256_Init(&context));
    require(SHA256_Update(&context, data.data(), data.size()));
    require(SHA256_Final(digest.bytes.data(), &context));
    return digest;
  }

  void hash_all(std::span<const ByteView> pieces, std::span<Digest> digests) override {
    static constexpr std::size_t kWorthLanes = 8;
    if (pieces.size() >= kWorthLanes && use_avx512()) return sha256_lanes(pieces, digests);
    Hasher::hash_all(pieces, digests);
  }
};

}  // namespace

std::unique_ptr<Hasher> make_sha256() {
  return std::make_unique<Sha256>();
}

}  // namespace millrace
