// `millraced scrub`: reads all files of a data folder that no server uses, and says which are damaged.
#pragma once

namespace millrace {

/// `argv` begins with the program's name and `scrub`. Returns the exit code: 0 all is well, 15 something is damaged, 1
/// the folder cannot be used, 2 usage.
int run_scrub_command(int argc, char** argv);

}  // namespace millrace
