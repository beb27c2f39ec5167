// One budget for the buffers of the whole process. What is held is counted when it is there, not when it is promised.
// Counting never waits: whoever is about to hold more than a little asks before (reserve), and whoever reads from a
// socket looks at over() and crowded(). Transfers enter in the order in which they came; so many are in it as can each
// have a slice of half of it, the others wait. What comes early for those that wait may take a quarter: were it more,
// those inside could not read what would bring them to their end. The oldest in it gets whatever it asks for: so there
// is always one that goes on to its end, however small the budget is, and the budget is exceeded by what one transfer
// holds at most.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace millrace {

class MemoryBudget;

/// Bytes that are counted while this lives. Empty ones count nothing.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  /// Counts `bytes`, whether there is room or not. Null: there is no budget.
  MemoryCharge(std::shared_ptr<MemoryBudget> budget, std::uint64_t bytes);
  MemoryCharge(MemoryCharge&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept;
  ~MemoryCharge();
  std::uint64_t bytes() const { return bytes_; }
  void resize(std::uint64_t bytes);

 private:
  friend class MemoryBudget;
  std::shared_ptr<MemoryBudget> budget_;
  std::uint64_t bytes_ = 0;
};

/// Any thread may call anything. What is given to be called later is called on the thread that made room, with no lock
/// held; it may have been asked for by somebody who has gone meanwhile.
class MemoryBudget : public std::enable_shared_from_this<MemoryBudget> {
 public:
  static constexpr std::uint64_t kLeast = 1u << 20;   ///< a smaller budget is refused where it is configured
  static constexpr std::uint64_t kSlice = 64u << 10;  ///< of a transfer at least: so many as fit into half are in it

  using Number = std::uint64_t;
  using OnRoom = std::function<void(MemoryCharge)>;

  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  /// A transfer in the budget, or waiting for it. Leaves when it is dropped.
  class Place {
   public:
    Place(std::shared_ptr<MemoryBudget> budget, Number number, bool in_at_once)
        : budget_(std::move(budget)), number_(number), in_at_once_(in_at_once) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { budget_->leave(number_); }
    /// It was in when it was given: its turn is not called.
    bool in_at_once() const { return in_at_once_; }
    bool is_in() const { return budget_->is_in(number_); }
    bool is_oldest() const { return budget_->oldest_.load(std::memory_order_relaxed) == number_; }
    Number number() const { return number_; }
    /// What it holds although it waits for its turn; counted by a MemoryCharge too. Nothing once it is in.
    void set_early(std::uint64_t bytes) { budget_->set_early(number_, bytes); }

   private:
    std::shared_ptr<MemoryBudget> budget_;
    Number number_;
    bool in_at_once_;
  };

  /// A transfer wants to begin. If its place is not in at once, `on_turn` is called once it is.
  std::unique_ptr<Place> enter(std::function<void()> on_turn);
  /// `bytes` that a transfer is about to hold: counted and given at once, or by `on_room` once there is room, which may
  /// be before this returns.
  std::optional<MemoryCharge> reserve(const Place& place, std::uint64_t bytes, OnRoom on_room);

  std::uint64_t limit() const { return limit_; }
  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  std::uint64_t most_used() const { return most_used_.load(std::memory_order_relaxed); }
  bool over() const { return used() >= limit_; }
  /// Those that wait hold so much that only who has a transfer in the budget should read.
  bool crowded() const { return early() >= most_early(); }
  std::uint64_t early() const { return early_.load(std::memory_order_relaxed); }
  std::uint64_t most_early() const { return limit_ / 4; }
  /// 0: there is no transfer.
  Number oldest() const { return oldest_.load(std::memory_order_relaxed); }
  /// What a transfer should hold at most, as many as there are now.
  std::uint64_t slice() const;
  std::size_t transfers() const { return in_count_.load(std::memory_order_relaxed); }
  /// Transfers that have not begun, and such that wait to go on.
  std::size_t waiting() const { return waiting_count_.load(std::memory_order_relaxed); }

 private:
  friend class MemoryCharge;
  struct Waiting {
    std::function<void()> on_turn;
    std::uint64_t early = 0;  ///< bytes
  };
  struct Request {
    Number number;
    std::uint64_t bytes;
    OnRoom on_room;
  };
  using Calls = std::vector<std::function<void()>>;
  void count(std::uint64_t bytes);
  void give_back(std::uint64_t bytes);
  void leave(Number number);
  void set_early(Number number, std::uint64_t bytes);
  bool is_in(Number number) const;
  /// Lets in and grants what there is room for; the calls are made after the lock is let go of.
  Calls settle();
  void grant(std::list<Request>::iterator request, Calls& calls);
  bool has_room(std::uint64_t bytes) const;

  const std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> most_used_{0};
  std::atomic<std::uint64_t> early_{0};
  std::atomic<Number> oldest_{0};
  std::atomic<std::size_t> in_count_{0};
  std::atomic<std::size_t> waiting_count_{0};
  mutable std::mutex mutex_;
  Number next_number_ = 1;             // guarded by mutex_, as all below
  std::map<Number, Waiting> outside_;  // in the order in which they came
  std::map<Number, bool> inside_;
  std::list<Request> requests_;
};

}  // namespace millrace
