// Remote paths: what check_path lets through cannot leave the root folder, and what people are shown is harmless.
#include <algorithm>
#include <string_view>

#include "base/path.h"
#include "fuzz/fuzz.h"

using namespace millrace;

namespace {

void check_allowed(std::string_view path) {
  fuzz::require(path.size() <= kMaxPathBytes, "a path has at most its limit of bytes");
  fuzz::require(path.find('\0') == std::string_view::npos, "a path has no NUL");
  std::size_t parts = 0;
  for (std::size_t begin = 0; begin <= path.size(); ++parts) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    fuzz::require(!part.empty() && part != "." && part != ".." && part.size() <= kMaxPartBytes,
                  "a part names an entry of its folder");
    begin = end + 1;
  }
  const std::string_view parent = parent_path(path);
  fuzz::require(last_part(path).size() + parent.size() + (parts > 1 ? 1 : 0) == path.size(),
                "folder and last part make the path");
  if (parts > 1) fuzz::require(check_path(parent, RootAllowed::kNo).has_value(), "a path's folder is a path");
}

}  // namespace

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  const std::string first(as_text(input.piece()));
  const std::string second(as_text(input.rest()));
  for (const std::string& path : {first, second}) {
    if (check_path(path, RootAllowed::kNo)) check_allowed(path);
    require(check_path(path, RootAllowed::kYes).has_value() ==
                (path.empty() || check_path(path, RootAllowed::kNo).has_value()),
            "only the root differs");
    const std::string shown = printable(path);
    require(std::none_of(shown.begin(), shown.end(), [](char c) { return static_cast<Byte>(c) < 32 || c == 127; }),
            "nothing of a path controls a terminal");
  }
  require(!path_less(first, first), "no path stands before itself");
  require(!(path_less(first, second) && path_less(second, first)), "one of two paths stands before the other");
  require(first == second || path_less(first, second) || path_less(second, first), "and only the same do not");
}

void fuzz::seeds(const AddSeed& add) {
  const auto pair = [&](const std::string& name, std::string_view first, std::string_view second) {
    Buffer input;
    append_piece(input, as_bytes(first));
    append(input, as_bytes(second));
    add(name, input);
  };
  pair("folders", "a/b", "a-b");
  pair("up", "../x", "a/./b");
  pair("slashes", "/a", "a//b/");
  pair("names", "caf\xc3\xa9/\xff\x80", "line\nfeed\x1b[2J\x7f\\");
  pair("long", std::string(255, 'n') + "/" + std::string(256, 'm'), std::string(4096, 'p'));
}
