#include "server/settings.h"

#include <algorithm>
#include <cstdio>

#include "base/units.h"

namespace millrace {

namespace {

constexpr std::size_t kMostEdits = 3;  ///< a word further away was meant to be something else

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      out += c;
      continue;
    }
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04X", static_cast<unsigned>(c));
    out += escaped;
  }
  return out + '"';
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string alternatives(const Setting& setting) {
  std::string out;
  for (const std::string_view choice : setting.choices) out += (out.empty() ? "" : ", ") + std::string(choice);
  return out;
}

Result<std::uint64_t> parse_number(const Setting& setting, const std::string& text) {
  if (setting.kind == SettingKind::kSize) return parse_size(text);
  if (setting.kind == SettingKind::kSeconds) return parse_seconds(text);
  const auto number = whole_number(text);
  if (!number) return fail(Code::kUsage, "'" + text + "' is not a whole number.");
  return *number;
}

/// In the largest unit that it is a whole number of.
std::string in_unit(std::uint64_t number, std::initializer_list<std::pair<std::uint64_t, const char*>> units) {
  for (const auto& [factor, unit] : units)
    if (number >= factor && number % factor == 0) return std::to_string(number / factor) + unit;
  return std::to_string(number);
}

std::string limit(const Setting& setting, std::uint64_t number) {
  if (setting.kind == SettingKind::kSize)
    return in_unit(number, {{1024 * kGiB, "TiB"}, {kGiB, "GiB"}, {kMiB, "MiB"}, {kKiB, "KiB"}});
  if (setting.kind == SettingKind::kSeconds)
    return in_unit(number, {{24 * 3600, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}});
  return std::to_string(number);
}

const char* kind_word(SettingKind kind) {
  switch (kind) {
    case SettingKind::kText:
      return "text";
    case SettingKind::kFlag:
      return "true or false";
    case SettingKind::kCount:
      return "number";
    case SettingKind::kSize:
      return "size";
    case SettingKind::kSeconds:
      return "duration";
    default:
      return "choice";
  }
}

std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string dotted(const Setting& setting) {
  return std::string(setting.section) + "." + std::string(setting.key);
}

std::string environment_name(const Setting& setting) {
  std::string out = "MILLRACED_" + std::string(setting.section) + "__" + std::string(setting.key);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

Result<SettingValue> parse_setting(const Setting& setting, const std::string& text) {
  if (text.find('\0') != std::string::npos) return fail(Code::kUsage, "A zero byte cannot be part of a value.");
  SettingValue value{text, 0};
  switch (setting.kind) {
    case SettingKind::kText:
      return value;
    case SettingKind::kFlag:
      if (text != "true" && text != "false") return fail(Code::kUsage, "'" + text + "' is neither true nor false.");
      value.number = text == "true" ? 1 : 0;
      return value;
    case SettingKind::kChoice:
      if (std::find(setting.choices.begin(), setting.choices.end(), text) == setting.choices.end())
        return fail(Code::kUsage, "'" + text + "' is none of " + alternatives(setting) + ".");
      return value;
    default:
      break;
  }
  MILLRACE_ASSIGN(value.number, parse_number(setting, text));
  if (value.number < setting.least || value.number > setting.most) {
    return fail(Code::kUsage, "'" + text + "' is out of range: at least " + limit(setting, setting.least) +
                                  ", at most " + limit(setting, setting.most) + ".");
  }
  return value;
}

std::string in_toml(const Setting& setting, const SettingValue& value) {
  const bool bare = setting.kind == SettingKind::kFlag ||
                    ((setting.kind != SettingKind::kText && setting.kind != SettingKind::kChoice) &&
                     is_number(value.text) && (value.text.size() == 1 || value.text.front() != '0'));
  return bare ? value.text : setting.kind == SettingKind::kCount ? std::to_string(value.number) : in_quotes(value.text);
}

std::string settings_as_markdown() {
  std::string out = "| key | flag | value | default | means |\n|---|---|---|---|---|\n";
  for (const Setting& setting : settings_table()) {
    std::string kind = kind_word(setting.kind);
    if (setting.kind == SettingKind::kChoice) kind = alternatives(setting);
    if (setting.kind == SettingKind::kCount || setting.kind == SettingKind::kSize ||
        setting.kind == SettingKind::kSeconds)
      kind += ", " + limit(setting, setting.least) + " to " + limit(setting, setting.most);
    std::string initial(setting.initial_words);
    if (initial.empty() && !setting.initial.empty()) initial = "`" + setting.initial + "`";
    out += "| `" + dotted(setting) + "` | `--" + std::string(setting.flag) + "` | " + kind + " | " + initial + " | " +
           std::string(setting.description) + (setting.takes == Takes::kReload ? " (reloaded on SIGHUP)" : "") + " |\n";
  }
  return out;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string found;
  std::size_t least = std::min(kMostEdits, word.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t far = edits(word, candidate);
    if (far < least) {
      least = far;
      found = candidate;
    }
  }
  return found;
}

}  // namespace millrace
