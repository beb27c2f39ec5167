#include "server/token.h"

#include <openssl/crypto.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>

#include "codec/sha256.h"

namespace millrace {

namespace {

constexpr std::string_view kBegin = "mr1_";
constexpr std::size_t kIdDigits = 16;
constexpr std::size_t kSecretDigits = 43;
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string to_base64url(ByteView bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const Byte byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) out += kBase64Url[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kBase64Url[bits << (6 - count) & 63];
  return out;
}

bool from_base64url(std::string_view text, MutableBytes into) {
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t at = 0;
  for (const char digit : text) {
    const auto value = kBase64Url.find(digit);
    if (value == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    if (at == into.size()) return false;
    into[at++] = static_cast<Byte>(bits >> count);
  }
  // One text only for each secret: what is left over is 0.
  return at == into.size() && (bits & ((1u << count) - 1)) == 0;
}

}  // namespace

std::string Token::text() const {
  return std::string(kBegin) + id + "_" + to_base64url(secret);
}

Digest Token::secret_hash() const {
  return make_sha256()->hash(secret);
}

Result<Token> make_token() {
  std::array<Byte, 8 + 32> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return fail(system_error(errno, "The kernel gives no random bytes for a token"));
  Token token;
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < kIdDigits / 2; ++i) {
    token.id += kHex[random[i] >> 4];
    token.id += kHex[random[i] & 15];
  }
  std::copy_n(random.begin() + kIdDigits / 2, token.secret.size(), token.secret.begin());
  return token;
}

Result<Token> parse_token(std::string_view text) {
  const auto refuse = [] {
    return fail(Code::kNotAuthenticated, "That is not a token; log in with the text that the server's operator gave.");
  };
  if (text.size() != kBegin.size() + kIdDigits + 1 + kSecretDigits || !text.starts_with(kBegin)) return refuse();
  Token token;
  token.id = text.substr(kBegin.size(), kIdDigits);
  if (token.id.find_first_not_of("0123456789abcdef") != std::string::npos) return refuse();
  if (text[kBegin.size() + kIdDigits] != '_') return refuse();
  if (!from_base64url(text.substr(kBegin.size() + kIdDigits + 1), token.secret)) return refuse();
  return token;
}

bool same_secret(const Digest& a, const Digest& b) {
  return CRYPTO_memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
}

}  // namespace millrace
