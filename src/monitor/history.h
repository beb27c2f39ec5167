// What happened over time: five minutes by second, a day by minute, 90 days by hour. Fed once a second with the
// counters as they stand; a step holds what they grew by.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "monitor/loop_counts.h"

namespace millrace {

/// How things stand at one moment.
struct HistorySample {
  std::int64_t at_s = 0;  ///< since 1970
  // Counters since the server's start:
  std::uint64_t in_bytes = 0;   ///< at the sockets
  std::uint64_t out_bytes = 0;  ///< likewise
  std::uint64_t saved_bytes = 0;
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  DurationCounts durations;
  // At the moment:
  std::uint64_t connections = 0;
  std::uint64_t transfers = 0;
  double lag_p99_s = 0;
};

/// What a step of any length held.
struct HistoryPoint {
  std::int64_t end_s = 0;  ///< since 1970
  double seconds = 0;      ///< for which the server ran in it
  double in_bytes = 0;
  double out_bytes = 0;
  double saved_bytes = 0;
  double requests = 0;
  double errors = 0;
  double connections = 0;  ///< on average
  double transfers = 0;    ///< on average
  double latency_p50_s = 0;
  double latency_p99_s = 0;
  double lag_p99_s = 0;  ///< of the worst second
};

/// For the catalogue. Nothing for bytes that are no point.
Buffer encode(const HistoryPoint& point);
std::optional<HistoryPoint> decode_history_point(ByteView bytes);

enum class HistoryStep : std::uint8_t { kSecond, kMinute, kHour };
inline constexpr std::size_t kHistorySteps = 3;
std::int64_t seconds_of(HistoryStep step);
/// As many as are kept.
std::size_t most_points(HistoryStep step);

/// Any thread.
class History {
 public:
  /// A step has ended. Called by add(), on its thread, without a lock.
  using OnPoint = std::function<void(HistoryStep, const HistoryPoint&)>;
  explicit History(OnPoint on_point = nullptr) : on_point_(std::move(on_point)) {}

  /// What was kept before this start, the oldest first.
  void restore(HistoryStep step, std::vector<HistoryPoint> points);
  void add(const HistorySample& sample);
  /// One for each step until now, the oldest first; nothing for those in which the server did not run. Begins with the
  /// first that is known.
  std::vector<std::optional<HistoryPoint>> points(HistoryStep step, std::size_t most) const;

 private:
  struct Open {
    std::int64_t end_s = 0;
    HistorySample before;
    double connections = 0;
    double transfers = 0;
    double lag = 0;
    std::uint64_t samples = 0;
  };
  HistoryPoint close(const Open& open) const;

  const OnPoint on_point_;
  mutable std::mutex mutex_;  // of all below
  std::array<std::map<std::int64_t, HistoryPoint>, kHistorySteps> points_;
  std::array<std::optional<Open>, kHistorySteps> open_;
  std::optional<HistorySample> last_;
};

}  // namespace millrace
