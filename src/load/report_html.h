// A report, or two compared, as one page of HTML with charts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "load/compare_reports.h"

namespace millrace {

/// `report` may come from anybody: what is missing or of another kind is left out, all texts are escaped.
std::string report_html(const nlohmann::ordered_json& report);

std::string comparison_html(const Comparison& comparison);

}  // namespace millrace
