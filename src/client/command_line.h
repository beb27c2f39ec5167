// The millrace command.
#pragma once

namespace millrace {

/// Runs it; the exit code.
int run_command_line(int argc, char** argv);

}  // namespace millrace
