// SHA-256 behind the Hasher interface of base: the fastest way that pays for what a process hashes.
#pragma once

#include "base/digest.h"

namespace millrace {

class CryptoLibrary;

/// Many pieces at once in AVX-512 lanes where the processor has them, else OpenSSL once it is in the process or worth
/// loading (codec/crypto_library), plain C++ before that and where there is no OpenSSL. One thread at a time.
std::unique_ptr<Hasher> make_sha256();
/// The same with another library, which outlives it.
std::unique_ptr<Hasher> make_sha256_with(CryptoLibrary& library);

}  // namespace millrace
