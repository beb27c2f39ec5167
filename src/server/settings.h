// The settings of millraced, one declarative table: flags, keys of the configuration file, names in the environment,
// `print-config` and the table in docs/OPERATIONS.md are all made from its rows. A new setting is a new row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millrace {

struct ServeOptions;

enum class SettingKind : std::uint8_t {
  kText,
  kFlag,     ///< true or false
  kCount,    ///< a whole number
  kSize,     ///< bytes: 64KiB, or a number
  kSeconds,  ///< 30s, 24h, or a number of seconds
  kChoice,
};

/// When a change takes effect.
enum class Takes : std::uint8_t { kRestart, kReload };

struct SettingValue {
  std::string text;          ///< as it was written
  std::uint64_t number = 0;  ///< of counts, sizes (bytes), durations (seconds) and flags (0 or 1)
};

struct Setting {
  std::string_view section{};
  std::string_view key{};   ///< in the file
  std::string_view flag{};  ///< without dashes
  SettingKind kind = SettingKind::kText;
  std::string initial{};             ///< the default, as one would write it
  std::string_view initial_words{};  ///< the default for the documents, where it depends on the machine
  std::uint64_t least = 0;           ///< of numbers
  std::uint64_t most = 0;
  std::vector<std::string_view> choices{};
  std::string_view description{};  ///< one line
  Takes takes = Takes::kRestart;
  /// Puts a value that fits the kind where the server looks for it. Errors: kUsage.
  Status (*apply)(ServeOptions& options, const SettingValue& value) = nullptr;
};

const std::vector<Setting>& settings_table();

/// "server.listen".
std::string dotted(const Setting& setting);
/// "MILLRACED_SERVER__LISTEN".
std::string environment_name(const Setting& setting);
/// Errors: kUsage, with a sentence that says what would be right.
Result<SettingValue> parse_setting(const Setting& setting, const std::string& text);
/// The value as a TOML file has it.
std::string in_toml(const Setting& setting, const SettingValue& value);
/// The table as docs/OPERATIONS.md has it.
std::string settings_as_markdown();
/// The word of `candidates` that `word` was probably meant to be; empty where none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace millrace
