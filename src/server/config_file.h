// A configuration file, read: what it sets and where. Knows TOML, but not which settings there are.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace millrace {

struct ConfigEntry {
  enum class Type : std::uint8_t { kText, kNumber, kFlag, kOther };
  std::string section;  ///< empty: not in a table
  std::string key;
  Type type = Type::kOther;
  std::string text;   ///< numbers and flags as one writes them
  std::string where;  ///< FILE:LINE
  std::uint32_t line = 0;
};

/// Errors: kUsage for what is no TOML, with FILE:LINE, the system's for a file that cannot be read.
Result<std::vector<ConfigEntry>> read_config_file(const std::string& path);

/// `path` and the files of conf.d beside it, in the order of their names: a later one overrides an earlier one.
/// `path` itself is named even where it is missing.
std::vector<std::string> config_files(const std::string& path);

}  // namespace millrace
