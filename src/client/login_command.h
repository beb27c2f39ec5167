// `millrace login` and `millrace logout`: the token of a server, tried and kept, or forgotten.
#pragma once

#include <optional>

namespace millrace {

/// The exit code, or nothing when the command line is about something else.
std::optional<int> run_login_command(int argc, char** argv);

}  // namespace millrace
