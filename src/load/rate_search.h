// Looks for the highest rate that holds: doubles it until it does not, then halves the distance, as ratios.
#pragma once

#include <cstdint>
#include <optional>

namespace millrace {

inline constexpr double kMostRate = 1'000'000;

class RateSearch {
 public:
  /// `first`: transfers a second to begin with.
  explicit RateSearch(double first) : rate_(first) {}

  /// What to try next, unless over().
  double rate() const { return rate_; }
  /// Whether rate() held.
  void take(bool held);
  /// The answer is known to a tenth, or no rate is low or high enough.
  bool over() const;
  /// The highest that held.
  std::optional<double> best() const { return best_; }

 private:
  double rate_;
  std::optional<double> best_;
  std::optional<double> missed_;  ///< the lowest that did not hold
};

}  // namespace millrace
