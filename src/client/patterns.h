// Which files of a tree a command takes: rules in rsync's sense (see FILTER RULES in rsync(1)). The first rule that
// matches decides, what none matches is taken, and an excluded folder hides all that is in it.
//
// Pure, and bounded whatever the names are: a pattern is a small automaton that reads a path once, so that the time is
// the product of the two lengths at most.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace millrace {

enum class EntryType : std::uint8_t { kFile, kFolder };

/// One pattern.
///   foo      a last part `foo`, anywhere          a/b    a path that ends in a/b, at a part's start
///   /foo     anchored at the tree's top           foo/   folders only
///   *        any bytes but '/'                    **     any bytes
///   ?        one byte but '/'                     [a-z]  one of these bytes ([!a-z], [^a-z]: none), never '/'
///   a/***    the folder a and all that is in it   \x     x itself, in a pattern with wildcards
class Pattern {
 public:
  /// Every text is a pattern; one with a '[' that is never closed matches nothing.
  explicit Pattern(std::string_view text);
  /// `path` has no '/' at its ends.
  bool matches(std::string_view path, EntryType type) const;

 private:
  enum class Kind : std::uint8_t { kByte, kAnyBut, kClass, kStar, kDoubleStar };
  struct Token {
    Kind kind = Kind::kByte;
    unsigned char byte = 0;
    std::size_t set = 0;  ///< of kClass
  };

  void compile(std::string_view text);
  /// Reads "[...]" from its '['; returns its length, 0 if it is not closed.
  std::size_t compile_class(std::string_view text);
  bool takes(const Token& token, unsigned char byte) const;
  bool run(std::string_view path) const;

  std::vector<Token> tokens_;
  std::vector<std::bitset<256>> sets_;
  bool anchored_ = false;
  bool folders_only_ = false;
  bool whole_path_ = false;     ///< a '/' or "**" in it: compared with the path, else with its last part
  bool with_contents_ = false;  ///< ends in "/***"
  bool broken_ = false;
};

enum class RuleKind : std::uint8_t { kInclude, kExclude };

class PatternList {
 public:
  /// The text of an option or of a line: "+ PATTERN" and "- PATTERN" say themselves what they are, "!" drops the rules
  /// so far, all else is of `kind`. Errors: kUsage for an empty pattern.
  Status add(RuleKind kind, std::string_view text);
  /// The lines of a file; empty ones and those that begin with '#' or ';' say nothing.
  Status add_lines(RuleKind kind, std::string_view text);
  bool empty() const { return rules_.empty(); }

  /// Whether this entry is left out; the folders above it are not asked about.
  bool excludes(std::string_view path, EntryType type) const;
  /// Whether this entry or a folder above it is left out: for paths that do not come from a walk downwards.
  bool hides(std::string_view path, EntryType type) const;

 private:
  struct Rule {
    RuleKind kind;
    Pattern pattern;
  };
  std::vector<Rule> rules_;
};

/// The lines that name something: without their ends (\n or \r\n), empty ones and comments ('#' or ';' in front).
std::vector<std::string_view> meaningful_lines(std::string_view text);

}  // namespace millrace
