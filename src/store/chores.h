// A thread for what a store does by itself, now and then, in small steps.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace {

/// Its priority is that of all others: a step may take the store's lock, and whoever holds that must not be kept
/// waiting. What keeps it slow is how long its steps ask to rest.
class Chores {
 public:
  /// Does a little and returns how long to rest.
  using Step = std::function<std::chrono::nanoseconds()>;

  Chores() = default;
  /// Waits for the step that runs, but for no rest.
  ~Chores();
  Chores(const Chores&) = delete;
  Chores& operator=(const Chores&) = delete;

  /// Before start().
  void add(Step step, std::chrono::nanoseconds first_rest);
  void start();

 private:
  struct Chore {
    Step step;
    std::chrono::steady_clock::time_point due;
  };
  void run();
  std::vector<Chore> chores_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace millrace
