// What the server tells its operator: one line each on standard error, as text or as a JSON object. Whatever comes from
// outside is escaped before it gets into a line: nobody can forge one. Warnings that clients cause are bounded in
// number; those left out are counted.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

/// Names and values of a line, in order. Values are escaped here.
class LogFields {
 public:
  LogFields& add(std::string_view name, std::string_view value);
  LogFields& add(std::string_view name, std::uint64_t value);
  /// With three decimals.
  LogFields& add_seconds(std::string_view name, double seconds);

  const std::string& as_text() const { return text_; }  ///< ` name=value name="value"`
  const std::string& as_json() const { return json_; }  ///< `,"name":value,"name":"value"`

 private:
  void add_bare(std::string_view name, const std::string& value);
  std::string text_;
  std::string json_;
};

/// A JSON string, quotes included: printable() first, so that bytes that are no UTF-8 can be told apart.
std::string json_string(std::string_view value);
/// "2026-11-27T19:30:00.123Z".
std::string json_time(std::chrono::system_clock::time_point now);

/// Any thread.
class Log {
 public:
  struct Options {
    LogFormat format = LogFormat::kText;
    LogLevel level = LogLevel::kWarning;
    std::uint64_t client_warnings = 60;  ///< a minute
  };
  /// Lines go to `descriptor`, which stays the caller's.
  explicit Log(const Options& options, int descriptor = 2);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool wants(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void write(LogLevel level, std::string_view message, const LogFields& fields = {});
  void warn(std::string_view message) { write(LogLevel::kWarning, message); }
  /// A warning that a client can cause as often as it likes.
  void warn_of_client(std::string_view message, const LogFields& fields,
                      std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());
  /// Told of each warning and error that is written, under the log's lock. Before the first line.
  void set_on_problem(std::function<void(LogLevel, const std::string& text)> call) { on_problem_ = std::move(call); }
  /// Level and rate; the format stays.
  void change(const Options& options);

 private:
  void put(LogLevel level, std::string_view message, const LogFields& fields);
  const LogFormat format_;
  const int descriptor_;
  std::atomic<LogLevel> level_;
  std::function<void(LogLevel, const std::string&)> on_problem_;
  std::mutex mutex_;  // of what follows
  std::uint64_t most_a_minute_;
  std::chrono::steady_clock::time_point minute_began_{};
  std::uint64_t said_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace millrace
