#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace millrace {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kFailed:
      return "E_FAILED";
    case Code::kUsage:
      return "E_USAGE";
    case Code::kNotFound:
      return "E_NOT_FOUND";
    case Code::kConflict:
      return "E_CONFLICT";
    case Code::kNotAuthenticated:
      return "E_NOT_AUTHENTICATED";
    case Code::kNotAllowed:
      return "E_NOT_ALLOWED";
    case Code::kQuota:
      return "E_QUOTA";
    case Code::kIntegrity:
      return "E_INTEGRITY";
    case Code::kNetwork:
      return "E_NETWORK";
    case Code::kProtocol:
      return "E_PROTOCOL";
    case Code::kVersion:
      return "E_VERSION";
    case Code::kTooLarge:
      return "E_TOO_LARGE";
    case Code::kSourceChanged:
      return "E_SOURCE_CHANGED";
    case Code::kBusy:
      return "E_BUSY";
    case Code::kCancelled:
      return "E_CANCELLED";
    case Code::kInternal:
      return "E_INTERNAL";
    case Code::kTooSlow:
      return "E_TOO_SLOW";
    case Code::kTls:
      return "E_TLS";
  }
  return "E_FAILED";
}

Code code_from_wire(std::uint64_t number) {
  if (number < static_cast<std::uint64_t>(Code::kFailed) || number > static_cast<std::uint64_t>(Code::kTls)) {
    return Code::kFailed;
  }
  return static_cast<Code>(number);
}

Error system_error(int errno_value, std::string_view sentence) {
  Code code = Code::kFailed;
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
      code = Code::kQuota;
      break;
    case ENOENT:
      code = Code::kNotFound;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case EXDEV:
      code = Code::kNotAllowed;
      break;
    case EMFILE:
    case ENFILE:
      code = Code::kBusy;
      break;
    case EEXIST:
    case ENOTEMPTY:
    case ENOTDIR:
    case EISDIR:
      code = Code::kConflict;
      break;
    case ENAMETOOLONG:
      code = Code::kUsage;
      break;
    case EFBIG:
      code = Code::kTooLarge;
      break;
    case ECONNREFUSED:
    case ECONNRESET:
    case ETIMEDOUT:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
      code = Code::kNetwork;
      break;
    default:
      break;
  }
  return {code, std::string(sentence) + ": " + std::strerror(errno_value)};
}

}  // namespace millrace
