#include "server/history_keeper.h"

#include <algorithm>

namespace millrace {

namespace {

constexpr std::int64_t kTotal = 100;  ///< its step in the catalogue

}  // namespace

Status HistoryKeeper::restore(History& history) {
  MILLRACE_ASSIGN(const auto rows, store_.history());
  std::vector<HistoryPoint> minutes;
  std::vector<HistoryPoint> hours;
  for (const HistoryRow& row : rows) {
    const auto point = decode_history_point(row.point);
    if (!point) continue;
    if (row.step == static_cast<std::int64_t>(HistoryStep::kMinute)) minutes.push_back(*point);
    if (row.step == static_cast<std::int64_t>(HistoryStep::kHour)) hours.push_back(*point);
    if (row.step != kTotal) continue;
    const std::lock_guard lock(mutex_);
    total_ = *point;
  }
  history.restore(HistoryStep::kMinute, std::move(minutes));
  history.restore(HistoryStep::kHour, std::move(hours));
  return {};
}

void HistoryKeeper::take(HistoryStep step, const HistoryPoint& point) {
  const std::lock_guard lock(mutex_);
  if (step != HistoryStep::kSecond) {
    taken_.emplace_back(step, point);
    return;
  }
  total_.end_s = point.end_s;
  total_.seconds += point.seconds;
  total_.in_bytes += point.in_bytes;
  total_.out_bytes += point.out_bytes;
  total_.saved_bytes += point.saved_bytes;
  total_.requests += point.requests;
  total_.errors += point.errors;
}

void HistoryKeeper::save(bool everything) {
  std::vector<std::pair<HistoryStep, HistoryPoint>> taken;
  HistoryPoint total;
  {
    const std::lock_guard lock(mutex_);
    taken = std::exchange(taken_, {});
    total = total_;
  }
  if (taken.empty() && !everything) return;
  Status saved = write(kTotal, total, -1);
  for (const auto& [step, point] : taken) {
    if (!saved) break;
    const std::int64_t age = seconds_of(step) * static_cast<std::int64_t>(most_points(step));
    saved = write(static_cast<std::int64_t>(step), point, point.end_s - age);
  }
  if (!saved && !fails_)
    report_("The history of what the server did cannot be kept for its next start: " + saved.error().sentence);
  fails_ = !saved;
}

Status HistoryKeeper::write(std::int64_t step, const HistoryPoint& point, std::int64_t keep_after) {
  HistoryRow row{step, step == kTotal ? 0 : point.end_s, encode(point)};
  return store_.put_history(row, keep_after);
}

HistoryPoint HistoryKeeper::total() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

}  // namespace millrace
