// A server's own certificate, for clients that pin keys.
#pragma once

#include <string>

#include "base/error.h"

namespace millrace {

/// Makes a key (ECDSA on P-256) and a certificate for it that it signs itself, unless both files are there. The key's
/// file has mode 0600. Errors: kFailed, kTls.
Status ensure_certificate(const std::string& certificate, const std::string& key, const std::string& name);

/// Of the first certificate in a file; see fingerprint_of(). Errors: kTls.
Result<std::string> fingerprint_in(const std::string& certificate);

/// Why clients that look at dates will not take it now, for people: it is over, or not valid yet. Empty: they will, or
/// it cannot be read.
std::string why_not_valid(const std::string& certificate);

}  // namespace millrace
