// SHA-256 (FIPS 180-4) in plain C++: for processes that are not worth loading OpenSSL in, and for the module in the
// browser, where there is none and, on plain HTTP off the loopback, no crypto.subtle either. Chunks are hashed four
// side by side in one register of vectors.
#pragma once

#include "base/digest.h"

namespace millrace {

std::unique_ptr<Hasher> make_portable_sha256();

}  // namespace millrace
