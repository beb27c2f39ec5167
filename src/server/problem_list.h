// The last warnings and errors of the log, for people who look at the dashboard instead.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "server/log.h"

namespace millrace {

struct Problem {
  std::uint64_t id = 0;      ///< grows
  std::int64_t time_ms = 0;  ///< since 1970, of the last time
  LogLevel level = LogLevel::kWarning;
  std::string text;
  std::uint64_t count = 1;  ///< how often it came without another in between
};

/// Any thread.
class ProblemList {
 public:
  explicit ProblemList(std::size_t most = 200) : most_(most) {}
  void add(LogLevel level, std::string text, std::int64_t time_ms);
  /// The newest first: those behind `after`.
  std::vector<Problem> list(std::uint64_t after) const;
  std::uint64_t last_id() const;

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::deque<Problem> problems_;  // guarded by mutex_, the newest in front
  std::uint64_t last_id_ = 0;     // guarded by mutex_
};

}  // namespace millrace
