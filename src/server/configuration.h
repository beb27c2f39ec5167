// The configuration as it counts: defaults, then files, then the environment, then flags, each over the one before.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/serve_options.h"
#include "server/settings.h"

namespace millrace {

inline constexpr char kDefaultConfigFile[] = "/etc/millrace/millraced.toml";

struct EffectiveSetting {
  const Setting* setting = nullptr;
  SettingValue value;
  std::string where;  ///< "default", FILE:LINE, the name in the environment, or the flag
};

struct Configuration {
  std::vector<EffectiveSetting> settings;  ///< in the table's order
  std::vector<std::string> files;          ///< that were read
  std::vector<std::string> problems;       ///< whole sentences, with FILE:LINE where they are about a file
};

/// Everything wrong is a problem of its own; what is right counts all the same.
Configuration load_configuration(const ConfigSources& sources);

/// Into what the server takes. Adds to the problems what only shows when values meet.
ServeOptions to_options(Configuration& configuration);

/// Valid TOML: each effective value with where it came from.
std::string as_toml(const Configuration& configuration);

}  // namespace millrace
