// What a recursive command takes of a tree: patterns, and the names of --files-from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/options.h"
#include "client/patterns.h"

namespace millrace {

struct Selection {
  PatternList patterns;
  /// Of --files-from, as paths that check_path accepts, none twice and none below another; absent: the whole tree.
  std::optional<std::vector<std::string>> names;
};

/// Reads the files that the options name. Errors: kUsage for a name that leads out of the tree or an empty pattern, the
/// system's for a file.
Result<Selection> load_selection(const CommandOptions& options);

/// What stands before the names of a tree when patterns look at them and when they get their place on the other side:
/// the last part of "a/b", nothing for "a/b/", "." and the empty path, whose contents are meant.
std::string tree_name(const std::string& path);

/// The two with a '/' between them, where both have something.
std::string joined(std::string_view folder, std::string_view name);

}  // namespace millrace
