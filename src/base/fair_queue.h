// The order in which a lane's jobs begin. Owners (sessions) take turns, so that one with a thousand jobs makes nobody
// wait for more than one of them, and no owner has more than a few jobs under way. Metadata jobs, which are short, pass
// bulk ones, but not without end, and find a free worker where bulk ones may not take all. Pure: it holds jobs and
// knows no threads; the time is handed in.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace millrace {

enum class Urgency : std::uint8_t { kBulk, kMetadata };

template <typename Job>
class FairQueue {
 public:
  using Owner = std::uint64_t;
  static constexpr std::size_t kMostOfOneOwner = 2;  ///< jobs under way
  static constexpr unsigned kMostPassing = 8;        ///< metadata jobs in a row while bulk ones wait

  struct Taken {
    Owner owner;
    Urgency urgency;
    Job job;
    std::uint64_t queued_at;  ///< as given to push()
  };

  explicit FairQueue(std::size_t most_of_one_owner = kMostOfOneOwner,
                     std::size_t most_bulk = std::numeric_limits<std::size_t>::max())
      : most_of_one_owner_(most_of_one_owner), most_bulk_(most_bulk) {}

  void push(Owner owner, Urgency urgency, Job job, std::uint64_t now) {
    Waiting& waiting = owners_[owner];
    Line& line = waiting.line(urgency);
    line.jobs.push_back({std::move(job), now});
    ++length_;
    enter(owner, waiting, urgency);
  }

  /// The job that begins next, or nothing: none waits, or only such whose owners have enough under way, or bulk ones
  /// while enough of those are. Each must be followed by ended().
  std::optional<Taken> pop() {
    const bool bulk_waits = bulk_may_begin();
    const bool metadata_waits = !turns(Urgency::kMetadata).empty();
    if (!bulk_waits && !metadata_waits) return std::nullopt;
    const bool passes = metadata_waits && (!bulk_waits || passed_ < kMostPassing);
    passed_ = passes && bulk_waits ? passed_ + 1 : 0;
    const Urgency urgency = passes ? Urgency::kMetadata : Urgency::kBulk;
    const Owner owner = turns(urgency).front();
    turns(urgency).pop_front();
    Waiting& waiting = owners_.at(owner);
    Line& line = waiting.line(urgency);
    line.has_turn = false;
    if (!passes) ++bulk_under_way_;
    Taken taken{owner, urgency, std::move(line.jobs.front().first), line.jobs.front().second};
    line.jobs.pop_front();
    --length_;
    if (++waiting.under_way >= most_of_one_owner_) {
      leave(owner, waiting, Urgency::kBulk);
      leave(owner, waiting, Urgency::kMetadata);
    } else {
      enter(owner, waiting, urgency);
    }
    return taken;
  }

  /// A job of `owner` that was popped is over.
  void ended(Owner owner, Urgency urgency) {
    if (urgency == Urgency::kBulk) --bulk_under_way_;
    const auto found = owners_.find(owner);
    --found->second.under_way;
    enter(owner, found->second, Urgency::kMetadata);
    enter(owner, found->second, Urgency::kBulk);
    forget_if_idle(found);
  }

  /// The owner is gone: its jobs that have not begun, for the caller to let go of.
  std::vector<Job> drop(Owner owner) {
    std::vector<Job> dropped;
    const auto found = owners_.find(owner);
    if (found == owners_.end()) return dropped;
    for (const Urgency urgency : {Urgency::kBulk, Urgency::kMetadata}) {
      leave(owner, found->second, urgency);
      for (auto& [job, queued_at] : found->second.line(urgency).jobs) dropped.push_back(std::move(job));
      found->second.line(urgency).jobs.clear();
    }
    length_ -= dropped.size();
    forget_if_idle(found);
    return dropped;
  }

  /// Jobs that have not begun.
  std::size_t length() const { return length_; }
  /// Whether pop() would give one.
  bool has_next() const { return !turns_[static_cast<std::size_t>(Urgency::kMetadata)].empty() || bulk_may_begin(); }

 private:
  struct Line {
    std::deque<std::pair<Job, std::uint64_t>> jobs;
    bool has_turn = false;  ///< its owner stands in the turns of this urgency
  };
  struct Waiting {
    Line lines[2];
    std::size_t under_way = 0;
    Line& line(Urgency urgency) { return lines[static_cast<std::size_t>(urgency)]; }
  };
  using Turns = std::deque<Owner>;

  bool bulk_may_begin() const {
    return !turns_[static_cast<std::size_t>(Urgency::kBulk)].empty() && bulk_under_way_ < most_bulk_;
  }

  Turns& turns(Urgency urgency) { return turns_[static_cast<std::size_t>(urgency)]; }

  void enter(Owner owner, Waiting& waiting, Urgency urgency) {
    Line& line = waiting.line(urgency);
    if (line.has_turn || line.jobs.empty() || waiting.under_way >= most_of_one_owner_) return;
    line.has_turn = true;
    turns(urgency).push_back(owner);
  }

  void leave(Owner owner, Waiting& waiting, Urgency urgency) {
    if (!std::exchange(waiting.line(urgency).has_turn, false)) return;
    Turns& all = turns(urgency);
    all.erase(std::find(all.begin(), all.end(), owner));
  }

  void forget_if_idle(typename std::unordered_map<Owner, Waiting>::iterator found) {
    if (found->second.under_way == 0 && found->second.lines[0].jobs.empty() && found->second.lines[1].jobs.empty())
      owners_.erase(found);
  }

  const std::size_t most_of_one_owner_;
  const std::size_t most_bulk_;
  std::size_t bulk_under_way_ = 0;
  std::unordered_map<Owner, Waiting> owners_;
  Turns turns_[2];
  std::size_t length_ = 0;
  unsigned passed_ = 0;
};

}  // namespace millrace
