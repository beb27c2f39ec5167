// Draws a run's progress on standard error: one line that is drawn over, or a line now and then.
#pragma once

#include <chrono>
#include <string>

#include "client/options.h"
#include "client/progress_meter.h"

namespace millrace {

/// The line, at most `columns` wide where that is not 0.
std::string progress_line(const ProgressSnapshot& now, std::size_t columns);

class ProgressDisplay {
 public:
  /// kAuto and a quiet run are settled here: a bar only where standard error is a terminal that can draw over a line.
  explicit ProgressDisplay(const CommandOptions& options);
  bool active() const { return style_ != ProgressStyle::kNone; }
  void draw(const ProgressSnapshot& now, ProgressMeter::Time time);
  /// Takes the bar away, so that other lines can be printed. Idempotent.
  void clear();

 private:
  ProgressStyle style_;
  bool drawn_ = false;
  ProgressMeter::Time next_plain_{};
};

}  // namespace millrace
