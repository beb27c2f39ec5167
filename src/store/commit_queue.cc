#include "store/commit_queue.h"

#include <iterator>
#include <set>
#include <utility>

namespace millrace {

CommitQueue::CommitQueue(Committer& committer, Committing how) : committer_(committer), how_(how) {
  if (how != Committing::kInThreads) return;
  committing_ = std::thread([this] { commit_groups(); });
  flushing_ = std::thread([this] { make_checkpoints(); });
}

CommitQueue::~CommitQueue() {
  while (how_ == Committing::kByHand && commit_next()) {
  }
  if (how_ != Committing::kInThreads) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ready_.notify_all();
  due_.notify_all();
  committing_.join();
  flushing_.join();
}

void CommitQueue::add(ReadyDraft draft) {
  if (how_ == Committing::kInline) {
    std::vector<ReadyDraft> group;
    group.push_back(std::move(draft));
    committer_.commit(std::move(group));
    // An error has stopped writing, or the next checkpoint tries again.
    if (committer_.is_due()) (void)committer_.checkpoint();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(draft));
  }
  ready_.notify_one();
}

bool CommitQueue::commit_next() {
  std::vector<ReadyDraft> group;
  {
    const std::lock_guard lock(mutex_);
    group = take_group();
  }
  if (group.empty()) return false;
  committer_.commit(std::move(group));
  return true;
}

/// Waits for one.
std::vector<ReadyDraft> CommitQueue::next_group() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [this] { return ending_ || !queue_.empty(); });
  return take_group();
}

/// Under the mutex. A path's second draft waits for the next group.
std::vector<ReadyDraft> CommitQueue::take_group() {
  std::vector<ReadyDraft> group;
  std::deque<ReadyDraft> later;
  std::set<std::string> paths;
  while (!queue_.empty() && group.size() < kMaxGroup) {
    ReadyDraft draft = std::move(queue_.front());
    queue_.pop_front();
    if (paths.insert(draft.path).second) {
      group.push_back(std::move(draft));
    } else {
      later.push_back(std::move(draft));
    }
  }
  queue_.insert(queue_.begin(), std::make_move_iterator(later.begin()), std::make_move_iterator(later.end()));
  return group;
}

void CommitQueue::commit_groups() {
  for (;;) {
    std::vector<ReadyDraft> group = next_group();
    if (group.empty()) return;
    // Whoever commits faster than the disk flushes is slowed down here; the error is the flushing thread's to see.
    if (committer_.is_due(kMostBehind)) (void)committer_.checkpoint();
    committer_.commit(std::move(group));
    {
      const std::lock_guard lock(mutex_);
      committed_ = true;
    }
    if (committer_.is_due()) due_.notify_one();
  }
}

void CommitQueue::make_checkpoints() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      due_.wait_for(lock, kCheckpointAfter, [this] { return ending_ || committer_.is_due(); });
      if (ending_) return;
      if (!std::exchange(committed_, false)) continue;
    }
    // What an error leaves is tried again at the next, unless writing has stopped, which was reported.
    (void)committer_.checkpoint();
  }
}

}  // namespace millrace
