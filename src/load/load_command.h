// The command line of millrace-load.
#pragma once

namespace millrace {

/// Returns the exit code.
int run_load_command(int argc, char** argv);

}  // namespace millrace
