// Where a program that connects gets its token from, and the reading of files that hold one.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"

namespace millrace {

/// What is in a file that only its owner may read; nothing where there is none. Errors: kNotAllowed when others may
/// read it, kUsage for one of more than 1 MiB, the system's.
Result<std::optional<std::string>> read_private_file(const std::string& path);

/// The token in a file: its first word. Errors: kNotFound, kUsage for an empty one, read_private_file's.
Result<std::string> read_token_file(const std::string& path);

/// The token that was given for this run: in `token_file`, in MILLRACE_TOKEN, or in the file that MILLRACE_TOKEN_FILE
/// names; the first that there is.
Result<std::optional<std::string>> given_token(const std::string& token_file);

}  // namespace millrace
