#include "server/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/path.h"
#include "base/timestamp.h"

namespace millrace {

namespace {

constexpr std::chrono::minutes kMinute{1};

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    default:
      return "error";
  }
}

/// In one call, so that lines of several processes do not mix. What cannot be written is lost: nobody could be told.
void write_line(int descriptor, const std::string& line) {
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string json_string(std::string_view value) {
  std::string out = "\"";
  for (const char c : printable(value)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string json_time(std::chrono::system_clock::time_point now) {
  static constexpr std::size_t kToMilliseconds = 23;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  return format_timestamp(ns).substr(0, kToMilliseconds) + "Z";
}

LogFields& LogFields::add(std::string_view name, std::string_view value) {
  add_bare(name, json_string(value));
  return *this;
}

LogFields& LogFields::add(std::string_view name, std::uint64_t value) {
  add_bare(name, std::to_string(value));
  return *this;
}

LogFields& LogFields::add_seconds(std::string_view name, double seconds) {
  char text[48];
  std::snprintf(text, sizeof text, "%.3f", seconds);
  add_bare(name, text);
  return *this;
}

void LogFields::add_bare(std::string_view name, const std::string& value) {
  text_.append(" ").append(name).append("=").append(value);
  json_.append(",\"").append(name).append("\":").append(value);
}

Log::Log(const Options& options, int descriptor)
    : format_(options.format),
      descriptor_(descriptor),
      level_(options.level),
      most_a_minute_(options.client_warnings) {}

void Log::change(const Options& options) {
  const std::lock_guard lock(mutex_);
  level_.store(options.level, std::memory_order_relaxed);
  most_a_minute_ = options.client_warnings;
}

void Log::write(LogLevel level, std::string_view message, const LogFields& fields) {
  if (!wants(level)) return;
  const std::lock_guard lock(mutex_);
  put(level, message, fields);
}

void Log::warn_of_client(std::string_view message, const LogFields& fields, std::chrono::steady_clock::time_point now) {
  if (!wants(LogLevel::kWarning)) return;
  const std::lock_guard lock(mutex_);
  if (now - minute_began_ >= kMinute) {
    minute_began_ = now;
    said_ = 0;
    if (const std::uint64_t count = std::exchange(suppressed_, 0); count > 0)
      put(LogLevel::kWarning, "warnings about clients were left out", LogFields().add("suppressed", count));
  }
  if (said_ >= most_a_minute_) {
    ++suppressed_;
    return;
  }
  ++said_;
  put(LogLevel::kWarning, message, fields);
}

void Log::put(LogLevel level, std::string_view message, const LogFields& fields) {
  if (on_problem_ && level >= LogLevel::kWarning) on_problem_(level, printable(message) + fields.as_text());
  const std::string name = level_name(level);
  if (format_ == LogFormat::kText) {
    write_line(descriptor_, name + ": " + printable(message) + fields.as_text() + "\n");
  } else {
    write_line(descriptor_, "{\"time\":\"" + json_time(std::chrono::system_clock::now()) + "\",\"level\":\"" + name +
                                "\",\"message\":" + json_string(message) + fields.as_json() + "}\n");
  }
}

}  // namespace millrace
