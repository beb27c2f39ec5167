#include "client/selection.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/path.h"
#include "net/descriptor.h"

namespace millrace {

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kMostListBytes = 1u << 30;  ///< a list of names longer than this is a mistake

Result<std::string> read_text(const std::string& path) {
  Descriptor opened;
  if (path != "-") {
    opened = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.is_open()) return fail(system_error(errno, "'" + printable(path) + "' cannot be read"));
  }
  const int descriptor = path == "-" ? STDIN_FILENO : opened.number();
  std::string text;
  for (;;) {
    const std::size_t before = text.size();
    text.resize(before + kReadBytes);
    const ssize_t got = ::read(descriptor, text.data() + before, kReadBytes);
    if (got < 0 && errno != EINTR) return fail(system_error(errno, "'" + printable(path) + "' cannot be read"));
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return text;
    if (text.size() > kMostListBytes)
      return fail(Code::kUsage, "'" + printable(path) + "' is over 1 GiB; that is no list of names.");
  }
}

/// "./a//b/" is "a/b".
Result<std::string> tidy_name(std::string_view line) {
  std::string name;
  while (!line.empty()) {
    const std::string_view part = line.substr(0, line.find('/'));
    line.remove_prefix(std::min(part.size() + 1, line.size()));
    if (part.empty() || part == ".") continue;
    name = joined(name, part);
  }
  if (!name.empty()) MILLRACE_TRY(check_path(name, RootAllowed::kNo));
  return name;
}

bool below_one_of(const std::set<std::string>& names, const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    if (names.contains(name.substr(0, slash))) return true;
  }
  return false;
}

}  // namespace

Result<Selection> load_selection(const CommandOptions& options) {
  Selection selection;
  for (const FilterOption& filter : options.filters) {
    if (!filter.from_file) {
      MILLRACE_TRY(selection.patterns.add(filter.kind, filter.text));
      continue;
    }
    MILLRACE_ASSIGN(const std::string text, read_text(filter.text));
    MILLRACE_TRY(selection.patterns.add_lines(filter.kind, text));
  }
  if (options.files_from.empty()) return selection;
  MILLRACE_ASSIGN(const std::string text, read_text(options.files_from));
  std::set<std::string> names;
  for (const std::string_view line : meaningful_lines(text)) {
    MILLRACE_ASSIGN(std::string name, tidy_name(line));
    if (name.empty()) return selection;  // "." or "/": all of the tree
    names.insert(std::move(name));
  }
  selection.names.emplace();
  for (const std::string& name : names) {
    if (!below_one_of(names, name)) selection.names->push_back(name);
  }
  return selection;
}

std::string tree_name(const std::string& path) {
  const std::string_view last = last_part(path);
  return last == "." || last == ".." ? std::string() : std::string(last);
}

std::string joined(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!folder.empty() && !folder.ends_with('/') && !name.empty()) path += '/';
  return path.append(name);
}

}  // namespace millrace
