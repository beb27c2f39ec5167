// SHA-256 through OpenSSL's EVP, behind the Hasher interface of base.
#pragma once

#include "base/digest.h"

namespace millrace {

/// Owns one EVP context (with the algorithm fetched once for the process). One thread at a time.
std::unique_ptr<Hasher> make_sha256();

}  // namespace millrace
