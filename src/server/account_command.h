// `millraced account` and `millraced token`: who may use a server. They work on the data folder's book of accounts,
// whether a server runs there or not.
#pragma once

#include <optional>

namespace millrace {

/// The exit code, or nothing when the command line is about something else.
std::optional<int> run_account_command(int argc, char** argv);

}  // namespace millrace
