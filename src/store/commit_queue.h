// The threads of the committer: one commits what became ready while it committed, one flushes behind it.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "store/committer.h"

namespace millrace {

/// For tests, which then have no thread but their own: kInline: add() commits by itself, and a checkpoint that is due
/// follows at once. kByHand: nothing happens but by commit_next().
enum class Committing : std::uint8_t { kInThreads, kInline, kByHand };

class CommitQueue {
 public:
  static constexpr std::size_t kMaxGroup = 1024;
  static constexpr std::chrono::seconds kCheckpointAfter{5};
  static constexpr unsigned kMostBehind = 4;  ///< commits wait once so many checkpoints are due

  CommitQueue(Committer& committer, Committing how);
  /// Commits what was added.
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;
  void add(ReadyDraft draft);
  /// kByHand: commits what waits, as one group. False: nothing waits.
  bool commit_next();

 private:
  void commit_groups();
  void make_checkpoints();
  std::vector<ReadyDraft> next_group();
  std::vector<ReadyDraft> take_group();

  Committer& committer_;
  const Committing how_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable due_;
  std::deque<ReadyDraft> queue_;  // guarded by mutex_
  bool ending_ = false;           // guarded by mutex_
  bool committed_ = false;        ///< something since the last checkpoint began; guarded by mutex_
  std::thread committing_;
  std::thread flushing_;
};

}  // namespace millrace
