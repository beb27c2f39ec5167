// `millraced serve`: store, chores, loops and signals put together.
#pragma once

#include "server/serve_options.h"

namespace millrace {

/// Until SIGTERM or SIGINT. `revision`: of the program, for the metrics. Returns the exit code; what went wrong is on
/// standard error.
int serve(const ServeOptions& options, std::string revision);

}  // namespace millrace
