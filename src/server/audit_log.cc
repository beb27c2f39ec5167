#include "server/audit_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace millrace {

namespace {

constexpr int kOwnerOnly = 0600;

Result<Socket> open_for_appending(const std::string& path) {
  Socket file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly));
  if (!file.is_open()) return fail(system_error(errno, "The audit log '" + path + "' cannot be opened"));
  return file;
}

}  // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& path) {
  MILLRACE_ASSIGN(Socket file, open_for_appending(path));
  return std::unique_ptr<AuditLog>(new AuditLog(path, std::move(file)));
}

void AuditLog::record(std::string_view account, std::string_view what, std::string_view path, std::string_view result,
                      const LogFields& more) {
  LogFields fields;
  fields.add("who", account.empty() ? std::string_view("-") : account).add("what", what).add("path", path);
  fields.add("result", result);
  const std::string line =
      "{\"time\":\"" + json_time(std::chrono::system_clock::now()) + "\"" + fields.as_json() + more.as_json() + "}\n";
  const std::lock_guard lock(mutex_);
  const bool written = ::write(file_.descriptor(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const bool says = !written && !fails_;
  fails_ = !written;
  if (says && on_failure_) on_failure_(system_error(errno, "Lines of the audit log '" + path_ + "' are lost").sentence);
}

void AuditLog::record_refused(std::string_view what, std::string_view result, LogFields more,
                              std::chrono::steady_clock::time_point now) {
  static constexpr std::uint64_t kMostAMinute = 60;
  {
    const std::lock_guard lock(mutex_);
    if (now - minute_began_ >= std::chrono::minutes(1)) {
      minute_began_ = now;
      refused_ = 0;
    }
    if (++refused_ > kMostAMinute) {
      ++left_out_;
      return;
    }
    if (left_out_ > 0) more.add("left_out", std::exchange(left_out_, 0));
  }
  record("", what, "", result, more);
}

Status AuditLog::reopen() {
  MILLRACE_ASSIGN(Socket file, open_for_appending(path_));
  const std::lock_guard lock(mutex_);
  file_ = std::move(file);
  return {};
}

}  // namespace millrace
