// What can go wrong because of the outside world. A broken invariant of our own is an assertion instead.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace millrace {

/// Stable: the number goes over the wire, the name is printed, the client's exit code follows from it.
enum class Code : std::uint8_t {
  kFailed = 1,    ///< none of the others
  kUsage = 2,     ///< the request makes no sense: a bad path, an impossible option
  kNotFound = 3,  ///< no such file or folder
  kConflict = 4,  ///< the basis moved on, or something is already there
  kNotAuthenticated = 5,
  kNotAllowed = 6,      ///< permissions, a special file, a path outside of the root
  kQuota = 7,           ///< quota or disk full
  kIntegrity = 8,       ///< bytes are not what their digest says
  kNetwork = 9,         ///< the connection failed; may be tried again
  kProtocol = 10,       ///< the peer broke the protocol
  kVersion = 11,        ///< no protocol version in common
  kTooLarge = 12,       ///< over a stated limit
  kSourceChanged = 13,  ///< a file changed or vanished while it was read
  kBusy = 14,           ///< the server is draining or full; may be tried again
  kCancelled = 15,
  kInternal = 16,  ///< a fault of our own, reported instead of hidden
  kTooSlow = 17,   ///< the peer moved too little while something was held for it; may be tried again
  kTls = 18,       ///< the connection cannot be encrypted, or the peer is not who it should be
};

/// "E_QUOTA" and so on. Unknown numbers give "E_FAILED".
std::string_view code_name(Code code);

/// Code from its number on the wire; unknown ones become kFailed.
Code code_from_wire(std::uint64_t number);

struct Error {
  Code code = Code::kFailed;
  std::string sentence;  ///< for people: what happened, to which path, what to do
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string sentence) {
  return tl::unexpected<Error>(Error{code, std::move(sentence)});
}

inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

/// "SENTENCE: strerror(errno_value)" with the code that fits the errno (ENOSPC is kQuota, ENOENT kNotFound, EACCES
/// kNotAllowed, ...).
Error system_error(int errno_value, std::string_view sentence);

}  // namespace millrace

/// Evaluates a Result; on an error returns it from the enclosing function, else yields nothing / the value.
#define MILLRACE_TRY(expression)                                    \
  do {                                                              \
    if (auto try_status_ = (expression); !try_status_) [[unlikely]] \
      return ::millrace::fail(std::move(try_status_).error());      \
  } while (false)

#define MILLRACE_CONCAT_(a, b) a##b
#define MILLRACE_CONCAT(a, b) MILLRACE_CONCAT_(a, b)
#define MILLRACE_ASSIGN_(holder, declaration, expression) \
  auto holder = (expression);                             \
  if (!holder) [[unlikely]]                               \
    return ::millrace::fail(std::move(holder).error());   \
  declaration = std::move(*holder)
/// MILLRACE_ASSIGN(auto x, f()): x is f()'s value, or its error is returned from the enclosing function.
#define MILLRACE_ASSIGN(declaration, expression) \
  MILLRACE_ASSIGN_(MILLRACE_CONCAT(result_, __LINE__), declaration, expression)
