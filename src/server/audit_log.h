// Who changed what, one JSON object a line, in a file of its own that is only ever appended to.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "net/socket.h"
#include "server/log.h"

namespace millrace {

/// Any thread.
class AuditLog {
 public:
  /// Makes the file with mode 0600 where it is missing. Errors: the system's.
  static Result<std::unique_ptr<AuditLog>> open(const std::string& path);

  /// `account`: empty for nobody in particular, written as "-". `what`: "upload", "delete", "move", "authenticate".
  /// `result`: "ok" or an error's name. `more` is added behind.
  void record(std::string_view account, std::string_view what, std::string_view path, std::string_view result,
              const LogFields& more = {});
  /// Goes on in the file that has the name now: somebody renamed the old one. Errors: the system's; the old one stays.
  Status reopen();

 private:
  AuditLog(std::string path, Socket file) : path_(std::move(path)), file_(std::move(file)) {}
  const std::string path_;
  std::mutex mutex_;
  Socket file_;
};

}  // namespace millrace
