// Keeps the server's history over restarts: in the catalogue, a row for each minute and each hour, and one for all
// time.
#pragma once

#include <mutex>
#include <vector>

#include "monitor/history.h"
#include "store/directory_store.h"

namespace millrace {

class HistoryKeeper {
 public:
  /// `report` is told once when rows cannot be kept.
  HistoryKeeper(LocalStore& store, std::function<void(const std::string& sentence)> report)
      : store_(store), report_(std::move(report)) {}

  /// What was kept before this start.
  Status restore(History& history);
  /// Any thread, does not block: History::OnPoint.
  void take(HistoryStep step, const HistoryPoint& point);
  /// Blocks. Writes what was taken, each minute the sum, too; `everything` also the sum of the last seconds.
  void save(bool everything = false);
  /// Of all time, until the last second.
  HistoryPoint total() const;

 private:
  Status write(std::int64_t step, const HistoryPoint& point, std::int64_t keep_after);
  LocalStore& store_;
  const std::function<void(const std::string&)> report_;
  mutable std::mutex mutex_;
  std::vector<std::pair<HistoryStep, HistoryPoint>> taken_;  // guarded by mutex_
  HistoryPoint total_;                                       // guarded by mutex_
  bool fails_ = false;                                       // save()'s thread
};

}  // namespace millrace
