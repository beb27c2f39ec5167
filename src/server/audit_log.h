// Who changed what, one JSON object a line, in a file of its own that is only ever appended to.
#pragma once

#include <chrono>
#include <functional>
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
  /// What anybody can cause as often as they like: 60 of them a minute are recorded, the next one says how many were
  /// left out.
  void record_refused(std::string_view what, std::string_view result, LogFields more,
                      std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());
  /// Told once when lines begin to be lost, with a sentence. Before the first record.
  void set_on_failure(std::function<void(const std::string& sentence)> call) { on_failure_ = std::move(call); }
  /// Goes on in the file that has the name now: somebody renamed the old one. Errors: the system's; the old one stays.
  Status reopen();

 private:
  AuditLog(std::string path, Socket file) : path_(std::move(path)), file_(std::move(file)) {}
  const std::string path_;
  std::mutex mutex_;
  Socket file_;
  std::function<void(const std::string&)> on_failure_;
  bool fails_ = false;  // guarded by mutex_, as what follows
  std::chrono::steady_clock::time_point minute_began_{};
  std::uint64_t refused_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace millrace
