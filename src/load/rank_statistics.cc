#include "load/rank_statistics.h"

#include <algorithm>
#include <cmath>

namespace millrace {

namespace {

constexpr double kTail = 0.025;
constexpr std::size_t kMostExact = 50;  ///< values of a sample; past that the normal distribution is near enough

/// The number of differences at each end that lie outside of the interval: the largest u with P(U < u) <= kTail, where
/// U is Mann and Whitney's statistic of two samples from one distribution.
std::size_t outside(std::size_t first, std::size_t second) {
  const auto n = static_cast<double>(first);
  const auto m = static_cast<double>(second);
  if (first > kMostExact || second > kMostExact) {
    const double at = n * m / 2 - 1.959964 * std::sqrt(n * m * (n + m + 1) / 12);
    return at > 0 ? static_cast<std::size_t>(at) : 0;
  }
  // The numbers of orders that give each U are the coefficients of a Gaussian binomial.
  std::vector<double> ways(first * second + 1);
  ways[0] = 1;
  for (std::size_t i = 1; i <= first; ++i) {
    for (std::size_t u = ways.size(); u-- > second + i;) ways[u] -= ways[u - second - i];
    for (std::size_t u = i; u < ways.size(); ++u) ways[u] += ways[u - i];
  }
  double all = 0;
  for (const double count : ways) all += count;
  std::size_t u = 0;
  for (double below = ways[0]; below <= kTail * all; below += ways[u]) ++u;
  return u;
}

}  // namespace

double median(std::vector<double> sample) {
  std::sort(sample.begin(), sample.end());
  const std::size_t middle = sample.size() / 2;
  return sample.size() % 2 == 1 ? sample[middle] : (sample[middle - 1] + sample[middle]) / 2;
}

Shift shift_between(const std::vector<double>& first, const std::vector<double>& second) {
  std::vector<double> differences;
  differences.reserve(first.size() * second.size());
  for (const double a : first) {
    for (const double b : second) differences.push_back(b - a);
  }
  std::sort(differences.begin(), differences.end());
  Shift shift;
  shift.estimate = median(differences);
  const std::size_t cut = outside(first.size(), second.size());
  if (cut > 0) shift.interval = Shift::Interval{differences[cut - 1], differences[differences.size() - cut]};
  return shift;
}

}  // namespace millrace
