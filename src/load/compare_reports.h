// Reports of two kinds side by side. The run is the unit, not the transfer: transfers of one run share its luck.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace millrace {

/// A table of what changed from the `first` reports to the `second`, with a verdict for each figure: better, worse,
/// same or inconclusive. Errors: kUsage where a file is no whole report, or where machine or scenario differ.
Result<std::string> compare_reports(const std::vector<std::string>& first, const std::vector<std::string>& second);

/// By the 95 % interval of a difference, as shares of the first median.
enum class Verdict { kBetter, kWorse, kSame, kInconclusive };
enum class Wanted { kMore, kLess };
Verdict judge(double low, double high, Wanted wanted);

}  // namespace millrace
