// Worker threads for everything that would hold up a loop: hashing and coding, file contents, the catalogue. Each lane
// has threads of its own, so that a slow flush does not stop the hashing beside it, and a fair queue in front; a
// process shares its lanes among its loops, and their sessions take turns.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>

#include "base/fair_queue.h"
#include "base/histogram.h"
#include "net/mailbox.h"

namespace millrace {

enum class Workers : std::uint8_t { kCpu, kDisk, kCatalogue };
inline constexpr std::size_t kWorkersCount = 3;
const char* workers_name(Workers workers);

struct LaneSizes {
  std::array<unsigned, kWorkersCount> threads;       ///< by Workers
  std::array<std::size_t, kWorkersCount> most_bulk;  ///< of them that may have bulk jobs
  std::size_t most_of_one_owner;                     ///< jobs under way in one lane
  /// How long the loop does CPU work itself before threads begin; only where one loop has the lanes.
  std::chrono::microseconds on_loop{0};
  /// A server's: CPU work as many as there are processors, disk two more, which are for short jobs only, the catalogue
  /// two: one waits for the disk while the other looks up.
  static LaneSizes for_server(unsigned processors);
  /// For a process with one owner, which then need not share.
  static LaneSizes for_client();
  /// For a program whose loop waits for nothing but its transfers. To start a thread, to hand over each step of a small
  /// file and to end the thread take half as long again as the work itself.
  static LaneSizes for_command();
};

class Lanes {
 public:
  using Owner = FairQueue<int>::Owner;
  struct Look {
    std::size_t length = 0;  ///< of the queue, now
    std::size_t running = 0;
    Histogram waits;  ///< of the jobs that began since the last look, in microseconds
  };

  explicit Lanes(const LaneSizes& sizes);
  /// Waits for jobs that are running; those that have not begun are dropped, and their ends are not called.
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  /// Any thread. A number that no other owner has.
  Owner new_owner() { return next_owner_.fetch_add(1, std::memory_order_relaxed); }
  /// The thread of `answers`' loop. `work` on a thread of the lane when its owner's turn comes, then `done` on the
  /// loop, which stays alive until then; null: nobody waits, and the loop is not woken. A lane's threads start with its
  /// first job.
  void run(Workers workers, Owner owner, Urgency urgency, std::shared_ptr<Mailbox> answers, std::function<void()> work,
           std::function<void()> done);
  /// The thread of the loop that the owner lives on: its jobs that have not begun are dropped, their ends are not
  /// called.
  void drop(Owner owner);
  /// Any thread. Begins the next measurement of waiting times.
  Look look(Workers workers);

 private:
  struct Lane;
  std::array<std::unique_ptr<Lane>, kWorkersCount> lanes_;
  std::atomic<Owner> next_owner_{1};
  std::chrono::microseconds left_on_loop_;  ///< the loop's thread only
};

}  // namespace millrace
