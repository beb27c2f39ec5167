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
#include <vector>

#include "sync/client_transfer.h"

namespace millrace {

struct ProgressSnapshot {
  std::string
      phase;  ///< of the file that reported last; "connecting" before, "waiting for the server" when all is sent
  std::size_t files_done = 0;  ///< failed ones included
  std::size_t files = 0;
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

  void plan(const std::vector<std::uint64_t>& sizes);
  /// Sizes may be learnt late: a download's is known when the server has answered.
  void update(std::size_t file, const TransferProgress& now);
  void file_done(std::size_t file);
  /// To be asked now and then: the rate comes from the samples taken here.
  ProgressSnapshot sample(Time now, std::uint64_t wire_bytes);

 private:
  struct File {
    std::uint64_t bytes = 0;
    double share = 0;  ///< 0 to 1
    bool hashed = false;
    bool done = false;
  };
  struct Sample {
    Time time;
    std::uint64_t wire_bytes;
    std::uint64_t hashed_bytes;
    double share;
  };
  void set_bytes(File& file, std::uint64_t bytes);
  void set_share(File& file, double share);

  std::vector<File> files_;
  std::deque<Sample> samples_;  ///< of the last 5 s
  std::string phase_ = "connecting";
  std::size_t files_done_ = 0;
  std::uint64_t bytes_ = 0;
  double bytes_done_ = 0;
  double highest_share_ = 0;
  std::uint64_t hashed_bytes_ = 0;
  std::vector<std::uint64_t> hashed_of_;  ///< of each file
};

}  // namespace millrace
