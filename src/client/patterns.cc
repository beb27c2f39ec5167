#include "client/patterns.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/path.h"

namespace millrace {

namespace {

constexpr std::string_view kWithContents = "/***";
constexpr int kNothing = -1;

struct NamedClass {
  std::string_view name;
  int (*holds)(int);
};
constexpr std::array<NamedClass, 11> kNamedClasses = {{{"alnum", std::isalnum},
                                                       {"alpha", std::isalpha},
                                                       {"blank", std::isblank},
                                                       {"cntrl", std::iscntrl},
                                                       {"digit", std::isdigit},
                                                       {"graph", std::isgraph},
                                                       {"lower", std::islower},
                                                       {"punct", std::ispunct},
                                                       {"space", std::isspace},
                                                       {"upper", std::isupper},
                                                       {"xdigit", std::isxdigit}}};

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

}  // namespace

Pattern::Pattern(std::string_view text) {
  if (text.starts_with('/')) {
    anchored_ = true;
    text.remove_prefix(1);
  }
  if (text.ends_with('/')) {
    folders_only_ = true;
    text.remove_suffix(1);
  }
  whole_path_ = anchored_ || text.find('/') != std::string_view::npos || text.find("**") != std::string_view::npos;
  with_contents_ = text.ends_with(kWithContents);
  if (text.find_first_of("*?[") == std::string_view::npos) {
    for (const char c : text) tokens_.push_back({Kind::kByte, static_cast<unsigned char>(c), 0});
  } else {
    compile(text);
  }
}

void Pattern::compile(std::string_view text) {
  for (std::size_t at = 0; at < text.size() && !broken_;) {
    const char c = text[at];
    if (c == '*') {
      std::size_t end = at;
      while (end < text.size() && text[end] == '*') ++end;
      tokens_.push_back({end - at > 1 ? Kind::kDoubleStar : Kind::kStar, 0, 0});
      at = end;
    } else if (c == '?') {
      tokens_.push_back({Kind::kAnyBut, '/', 0});
      ++at;
    } else if (c == '[') {
      const std::size_t length = compile_class(text.substr(at));
      broken_ = length == 0;
      at += length;
    } else {
      if (c == '\\' && at + 1 < text.size()) ++at;
      tokens_.push_back({Kind::kByte, byte_at(text, at), 0});
      ++at;
    }
  }
}

std::size_t Pattern::compile_class(std::string_view text) {
  std::bitset<256> set;
  std::size_t at = 1;
  const bool inverted = at < text.size() && (text[at] == '!' || text[at] == '^');
  if (inverted) ++at;
  int previous = kNothing;  // what a '-' would begin at
  for (bool first = true;; first = false) {
    if (at >= text.size()) return 0;
    if (text[at] == ']' && !first) break;
    if (text.substr(at).starts_with("[:")) {
      const std::size_t end = text.find(":]", at + 2);
      if (end == std::string_view::npos) return 0;
      const std::string_view name = text.substr(at + 2, end - at - 2);
      const auto* const named = std::find_if(kNamedClasses.begin(), kNamedClasses.end(),
                                             [&](const NamedClass& known) { return known.name == name; });
      if (named == kNamedClasses.end()) return 0;
      for (int byte = 0; byte < 128; ++byte) {
        if (named->holds(byte) != 0) set.set(static_cast<std::size_t>(byte));
      }
      at = end + 2;
      previous = kNothing;
      continue;
    }
    const bool range = text[at] == '-' && previous != kNothing && at + 1 < text.size() && text[at + 1] != ']';
    if (range) ++at;
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    const unsigned char byte = byte_at(text, at);
    for (int next = range ? previous : byte; next <= byte; ++next) set.set(static_cast<std::size_t>(next));
    if (range)
      previous = kNothing;
    else
      previous = byte;
    ++at;
  }
  if (inverted) set.flip();
  set.reset('/');
  tokens_.push_back({Kind::kClass, 0, sets_.size()});
  sets_.push_back(set);
  return at + 1;
}

bool Pattern::takes(const Token& token, unsigned char byte) const {
  switch (token.kind) {
    case Kind::kByte:
      return byte == token.byte;
    case Kind::kClass:
      return sets_[token.set].test(byte);
    case Kind::kDoubleStar:
      return true;
    default:
      return byte != '/';
  }
}

/// State i: the tokens before i have matched. All states that hold are followed at once.
bool Pattern::run(std::string_view path) const {
  const std::size_t end = tokens_.size();
  std::vector<char> now(end + 1);
  std::vector<char> next(end + 1);
  const auto repeats = [&](std::size_t i) {
    return tokens_[i].kind == Kind::kStar || tokens_[i].kind == Kind::kDoubleStar;
  };
  const auto enter = [&](std::vector<char>& states, std::size_t i) {
    for (; states[i] == 0; ++i) {
      states[i] = 1;
      if (i == end || !repeats(i)) return;
    }
  };
  for (std::size_t at = 0; at < path.size(); ++at) {
    const bool start = at == 0 || (!anchored_ && path[at - 1] == '/');
    if (start) enter(now, 0);
    std::fill(next.begin(), next.end(), char{0});
    for (std::size_t i = 0; i < end; ++i) {
      if (now[i] != 0 && takes(tokens_[i], byte_at(path, at))) enter(next, repeats(i) ? i : i + 1);
    }
    std::swap(now, next);
  }
  return now[end] != 0;
}

bool Pattern::matches(std::string_view path, EntryType type) const {
  if (broken_ || path.empty() || (folders_only_ && type != EntryType::kFolder)) return false;
  if (with_contents_ && type == EntryType::kFolder) return run(std::string(path) + '/');
  return run(whole_path_ ? path : last_part(path));
}

Status PatternList::add(RuleKind kind, std::string_view text) {
  if (text == "!") {
    rules_.clear();
    return {};
  }
  if (text.starts_with("+ ") || text.starts_with("- ")) {
    kind = text.front() == '+' ? RuleKind::kInclude : RuleKind::kExclude;
    text.remove_prefix(2);
  }
  if (text.empty() || text == "/") return fail(Code::kUsage, "A pattern is empty; write what it should match.");
  rules_.push_back({kind, Pattern(text)});
  return {};
}

Status PatternList::add_lines(RuleKind kind, std::string_view text) {
  for (const std::string_view line : meaningful_lines(text)) MILLRACE_TRY(add(kind, line));
  return {};
}

bool PatternList::excludes(std::string_view path, EntryType type) const {
  for (const Rule& rule : rules_) {
    if (rule.pattern.matches(path, type)) return rule.kind == RuleKind::kExclude;
  }
  return false;
}

bool PatternList::hides(std::string_view path, EntryType type) const {
  if (rules_.empty()) return false;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    if (excludes(path.substr(0, slash), EntryType::kFolder)) return true;
  }
  return excludes(path, type);
}

std::vector<std::string_view> meaningful_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && line.front() != '#' && line.front() != ';') lines.push_back(line);
  }
  return lines;
}

}  // namespace millrace
