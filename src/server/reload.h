// SIGHUP reads the configuration again: what may change while the server runs does, the rest waits for a restart.
#pragma once

#include <string>
#include <vector>

#include "server/configuration.h"

namespace millrace {

class Reload {
 public:
  /// `options` is what the server was started with.
  explicit Reload(const ServeOptions& options);

  struct Outcome {
    std::vector<std::string> problems;       ///< not empty: nothing has changed
    std::vector<std::string> needs_restart;  ///< settings that changed and do not count yet
  };
  Outcome read_again();
  /// What counts now.
  const ServeOptions& options() const { return options_; }

 private:
  ServeOptions options_;
  Configuration effective_;
};

}  // namespace millrace
