// What a command says: lines for people, events for programs (--json), the exit code at the end.
#pragma once

#include <chrono>
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "client/options.h"
#include "client/progress_display.h"
#include "client/progress_meter.h"
#include "wire/messages.h"

namespace millrace {

/// The documented exit code of a failure.
int exit_code(Code code);

/// Bytes at the socket, all framing included.
struct Traffic {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

class Report {
 public:
  explicit Report(const CommandOptions& options);

  /// Events and lines go to standard error: standard output belongs to a file's content.
  void keep_stdout_for_content() { out_ = stderr; }

  void start(const Url& url);
  void plan(std::size_t files, std::uint64_t bytes);
  /// At most five events a second, and what is drawn for people.
  void progress(const ProgressSnapshot& now, ProgressMeter::Time time);
  void file_done(const std::string& local, const std::string& remote, const TransferResult& result,
                 std::uint64_t bytes);
  /// A file that is the same on both sides by size, time and mode.
  void file_alike(const std::string& local, const std::string& remote, const Version& version);
  /// An entry of a tree that is not taken because of what it is: `reason` as in "a symbolic link".
  void skipped(const std::string& path, const std::string& reason);
  /// What a dry run would have done, as one sentence.
  void would(const std::string& path, const std::string& sentence);
  void entry(const wire::EntryMessage& entry);
  /// A version in the trash.
  void trashed(const wire::EntryMessage& entry);
  /// A word on a request that is done: "deleted".
  void request_done(const std::string& path, const char* what);
  /// `path` may be empty: the failure is not one file's. A failure of the connection gets one line, however many files
  /// it hits.
  void failed(const Error& error, const std::string& path = {});
  /// Counts as failed, with an event but no line: for files that a lost connection leaves behind.
  void left_behind(const Error& error, const std::string& path);
  /// The exit code whatever else happened: a signal's.
  void end_with(int code) { forced_code_ = code; }

  /// The summary and, behind a transfer, the last two lines. The exit code: 3 where some files failed and others did
  /// not.
  int finish(const Traffic& traffic);

 private:
  bool says_lines() const { return !options_.quiet && !options_.as_json; }
  void event(const char* name, nlohmann::json fields);
  void count_failure(Code code);

  CommandOptions options_;
  ProgressDisplay display_;
  std::FILE* out_ = stdout;
  std::chrono::steady_clock::time_point started_;
  ProgressMeter::Time next_progress_event_{};
  std::optional<int> forced_code_;
  bool begun_ = false;
  std::size_t files_ = 0;
  std::size_t unchanged_ = 0;
  std::size_t skipped_ = 0;
  std::size_t failures_ = 0;
  std::size_t left_behind_ = 0;
  std::string last_connection_failure_;
  std::optional<Code> lost_code_;  ///< the connection was lost: whatever was done, trying again may help
  Code first_failure_ = Code::kFailed;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t literal_bytes_ = 0;
  std::uint64_t matched_bytes_ = 0;
  std::uint32_t round_trips_ = 0;
  std::optional<Version> last_;
};

}  // namespace millrace
