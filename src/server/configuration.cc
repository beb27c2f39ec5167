#include "server/configuration.h"

#include <algorithm>
#include <filesystem>

#include "base/path.h"
#include "server/config_file.h"

namespace millrace {

namespace {

constexpr std::string_view kPrefix = "MILLRACED_";

std::string did_you_mean(const std::string& word) {
  return word.empty() ? std::string() : "; did you mean '" + word + "'?";
}

/// What the key was meant to be: of the same section first, then wherever there is one of that name.
std::string suggestion(const ConfigEntry& entry) {
  std::vector<std::string> keys;
  std::vector<std::string> all;
  for (const Setting& setting : settings_table()) {
    if (setting.section == entry.section) keys.emplace_back(setting.key);
    if (setting.key == entry.key) return dotted(setting);
    all.push_back(dotted(setting));
  }
  if (const std::string near = nearest(entry.key, keys); !near.empty()) return near;
  return nearest(entry.section + "." + entry.key, all);
}

bool fits(SettingKind kind, ConfigEntry::Type type) {
  switch (type) {
    case ConfigEntry::Type::kText:
      return kind != SettingKind::kCount && kind != SettingKind::kFlag;
    case ConfigEntry::Type::kNumber:
      return kind == SettingKind::kCount || kind == SettingKind::kSize || kind == SettingKind::kSeconds;
    case ConfigEntry::Type::kFlag:
      return kind == SettingKind::kFlag;
    default:
      return false;
  }
}

std::string expected(const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::kFlag:
      return "true or false, without quotes";
    case SettingKind::kCount:
      return "a number, without quotes";
    case SettingKind::kSize:
      return "a size such as \"64KiB\"";
    case SettingKind::kSeconds:
      return "a duration such as \"30s\"";
    default:
      return "a text in quotes";
  }
}

class Loader {
 public:
  Loader() {
    for (const Setting& setting : settings_table()) {
      const auto value = parse_setting(setting, setting.initial);
      out_.settings.push_back({&setting, value ? *value : SettingValue{setting.initial, 0}, "default"});
    }
  }

  void take_files(const ConfigSources& sources) {
    const std::string main = sources.file.empty() ? kDefaultConfigFile : sources.file;
    for (const std::string& path : config_files(main)) {
      std::error_code none;
      if (path == main && sources.file.empty() && !std::filesystem::exists(path, none) && !none) continue;
      const auto entries = read_config_file(path);
      if (!entries) {
        out_.problems.push_back(entries.error().sentence);
        continue;
      }
      out_.files.push_back(path);
      for (const ConfigEntry& entry : *entries) take(entry);
    }
  }

  void take_environment(const std::vector<std::string>& environment) {
    for (const std::string& one : environment) {
      const auto equals = one.find('=');
      const std::string name = one.substr(0, equals);
      if (equals == std::string::npos || !name.starts_with(kPrefix) || name.find("__") == std::string::npos) continue;
      std::vector<std::string> names;
      EffectiveSetting* found = nullptr;
      for (EffectiveSetting& effective : out_.settings) {
        names.push_back(environment_name(*effective.setting));
        if (names.back() == name) found = &effective;
      }
      if (found == nullptr) {
        problem(name, "no setting has this name in the environment" + did_you_mean(nearest(name, names)));
      } else {
        set(*found, one.substr(equals + 1), name);
      }
    }
  }

  void take_flags(const ConfigSources& sources) {
    for (const auto& [flag, text] : sources.flags) {
      for (EffectiveSetting& effective : out_.settings)
        if (effective.setting->flag == flag) set(effective, text, "--" + flag);
    }
  }

  Configuration result() { return std::move(out_); }

 private:
  void take(const ConfigEntry& entry) {
    std::vector<std::string> sections;
    bool is_section = false;
    for (EffectiveSetting& effective : out_.settings) {
      const Setting& setting = *effective.setting;
      is_section = is_section || setting.section == entry.section;
      sections.emplace_back(setting.section);
      if (setting.section != entry.section || setting.key != entry.key) continue;
      if (fits(setting.kind, entry.type)) return set(effective, entry.text, entry.where);
      return problem(entry.where, "'" + dotted(setting) + "' must be " + expected(setting) + ".");
    }
    if (entry.section.empty())
      return problem(entry.where,
                     "'" + printable(entry.key) + "' stands in no section" + did_you_mean(suggestion(entry)));
    if (!is_section)
      return problem(entry.where, "there is no section '" + printable(entry.section) + "'" +
                                      did_you_mean(nearest(entry.section, sections)));
    if (!entry.key.empty())
      problem(entry.where, "there is no setting '" + printable(entry.section + "." + entry.key) + "'" +
                               did_you_mean(suggestion(entry)));
  }

  void set(EffectiveSetting& effective, const std::string& text, const std::string& where) {
    auto value = parse_setting(*effective.setting, text);
    if (!value) return problem(where, printable(value.error().sentence));
    effective.value = std::move(*value);
    effective.where = where;
  }

  void problem(const std::string& where, const std::string& sentence) {
    out_.problems.push_back(where + ": " + sentence);
  }

  Configuration out_;
};

}  // namespace

Configuration load_configuration(const ConfigSources& sources) {
  Loader loader;
  loader.take_files(sources);
  loader.take_environment(sources.environment);
  loader.take_flags(sources);
  return loader.result();
}

ServeOptions to_options(Configuration& configuration) {
  ServeOptions options;
  for (const EffectiveSetting& effective : configuration.settings) {
    if (const Status applied = effective.setting->apply(options, effective.value); !applied)
      configuration.problems.push_back(effective.where + ": " + applied.error().sentence);
  }
  if (const Status fitting = check(options.tls, options.host); !fitting)
    configuration.problems.push_back(fitting.error().sentence);
  return options;
}

std::string as_toml(const Configuration& configuration) {
  std::string out;
  std::string_view section;
  for (const EffectiveSetting& effective : configuration.settings) {
    const Setting& setting = *effective.setting;
    if (setting.section != section) {
      out += (out.empty() ? "[" : "\n[") + std::string(setting.section) + "]\n";
      section = setting.section;
    }
    out += std::string(setting.key) + " = " + in_toml(setting, effective.value) + "  # " + printable(effective.where) +
           "\n";
  }
  return out;
}

}  // namespace millrace
