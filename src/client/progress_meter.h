// How far a run is, as arithmetic on what the transfers report: sans I/O, the time is handed in, so tests can drive it.
//
// A file's share of the work is its size. Hashing, where there is any before data travels, is the first half of it,
// what follows the second; a file's share only grows, so the whole never runs backwards, whatever is tried again.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sync/client_transfer.h"

namespace millrace {

struct ProgressSnapshot {
  std::string
      phase;  ///< of the file that reported last; "connecting" before, "waiting for the server" when all is sent
  std::size_t files_done = 0;  ///< failed ones included
  std::size_t files = 0;
  bool more_to_find = false;     ///< files and bytes are those found so far
  std::uint64_t bytes_done = 0;  ///< of content, by share of the work
  std::uint64_t bytes = 0;
  unsigned percent = 0;                      ///< 100 only when every file is done
  std::uint64_t wire_bytes = 0;              ///< both directions
  std::uint64_t bytes_per_second = 0;        ///< over 5 s: on the wire; of content while hashing
  std::optional<std::chrono::seconds> left;  ///< absent until there is something to go by
};

class ProgressMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Files 0, 1, ... of these sizes and no others.
  void plan(const std::vector<std::uint64_t>& sizes);
  /// Or, for a tree that is still looked through: one more file, which has no number yet; until all_found() there is no
  /// percentage.
  void found(std::uint64_t bytes);
  void all_found() { open_ended_ = false; }
  bool open_ended() const { return open_ended_; }
  /// One of those that were found begins; `file` is its number from here on.
  void file_begins(std::size_t file, std::uint64_t bytes);
  /// Sizes may be learnt late: a download's is known when the server has answered.
  void update(std::size_t file, const TransferProgress& now);
  void file_done(std::size_t file);
  /// To be asked now and then: the rate comes from the samples taken here.
  ProgressSnapshot sample(Time now, std::uint64_t wire_bytes);

 private:
  struct File {
    std::uint64_t bytes = 0;
    double share = 0;  ///< 0 to 1
    std::uint64_t hashed_bytes = 0;
    bool hashed = false;
  };
  struct Sample {
    Time time;
    std::uint64_t wire_bytes;
    std::uint64_t hashed_bytes;
    double share;
  };
  void set_bytes(File& file, std::uint64_t bytes);
  void set_share(File& file, double share);

  std::unordered_map<std::size_t, File> files_;  ///< that have begun and are not done
  std::size_t file_count_ = 0;
  bool open_ended_ = false;
  std::deque<Sample> samples_;  ///< of the last 5 s
  std::string phase_ = "connecting";
  std::size_t files_done_ = 0;
  std::uint64_t bytes_ = 0;
  double bytes_done_ = 0;
  double highest_share_ = 0;
  std::uint64_t hashed_bytes_ = 0;
  std::uint64_t highest_bytes_done_ = 0;
};

}  // namespace millrace
