// The text that a client shows: mr1_ID_SECRET. The id is public and finds the token; the secret is 32 random bytes, of
// which only the SHA-256 is kept anywhere on the server.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"

namespace millrace {

struct Token {
  std::string id;  ///< 16 hexadecimal digits
  std::array<Byte, 32> secret{};

  std::string text() const;
  Digest secret_hash() const;
};

/// Random bytes from the kernel. Errors: the system's.
Result<Token> make_token();
/// Errors: kNotAuthenticated for anything that is not the one text of a token. The sentence does not repeat it.
Result<Token> parse_token(std::string_view text);
/// Takes as long whatever the two hold.
bool same_secret(const Digest& a, const Digest& b);

}  // namespace millrace
