#include "load/rate_search.h"

#include <algorithm>
#include <cmath>

namespace millrace {

namespace {

constexpr double kPrecision = 1.1;
constexpr double kLeastRate = 1;

}  // namespace

void RateSearch::take(bool held) {
  (held ? best_ : missed_) = rate_;
  if (!missed_) {
    rate_ = std::min(rate_ * 2, kMostRate);
  } else if (!best_) {
    rate_ /= 2;
  } else {
    rate_ = std::sqrt(*best_ * *missed_);
  }
}

bool RateSearch::over() const {
  if (best_ && missed_) return *missed_ / *best_ <= kPrecision;
  if (best_) return *best_ >= kMostRate;
  return missed_ && *missed_ <= kLeastRate;
}

}  // namespace millrace
