// client/patterns: rules as rsync(1) has them.
#include "client/patterns.h"

#include <catch2/catch.hpp>

using namespace millrace;

namespace {

bool file(std::string_view pattern, std::string_view path) {
  return Pattern(pattern).matches(path, EntryType::kFile);
}
bool folder(std::string_view pattern, std::string_view path) {
  return Pattern(pattern).matches(path, EntryType::kFolder);
}

}  // namespace

TEST_CASE("a plain name matches the last part wherever it is") {
  CHECK(file("foo", "foo"));
  CHECK(file("foo", "a/b/foo"));
  CHECK_FALSE(file("foo", "foo/b"));
  CHECK_FALSE(file("foo", "a/xfoo"));
  CHECK_FALSE(file("foo", "a/foox"));
  CHECK(folder("foo", "a/foo"));
}

TEST_CASE("a slash in front anchors at the top") {
  CHECK(file("/foo", "foo"));
  CHECK_FALSE(file("/foo", "a/foo"));
  CHECK(file("/a/*.o", "a/x.o"));
  CHECK_FALSE(file("/a/*.o", "b/a/x.o"));
  CHECK_FALSE(file("/*.o", "a/x.o"));
}

TEST_CASE("a slash inside compares the end of the path at a part's start") {
  CHECK(file("a/b", "a/b"));
  CHECK(file("a/b", "x/a/b"));
  CHECK_FALSE(file("a/b", "xa/b"));
  CHECK_FALSE(file("a/b", "a/b/c"));
  CHECK(file("a/*", "x/a/y"));
  CHECK_FALSE(file("a/*", "x/a/y/z"));
}

TEST_CASE("a slash behind takes folders only") {
  CHECK(folder("build/", "a/build"));
  CHECK_FALSE(file("build/", "a/build"));
  CHECK(folder("/build/", "build"));
}

TEST_CASE("one star and ? stop at a slash, two stars do not") {
  CHECK(file("*.o", "a/b.o"));
  CHECK(file("*", "anything"));
  CHECK(file("f?o", "foo"));
  CHECK_FALSE(file("f?o", "fo"));
  CHECK_FALSE(file("/a?b", "a/b"));
  CHECK_FALSE(file("/a*b", "a/b"));
  CHECK(file("/a**b", "a/x/b"));
  CHECK(file("/a/**", "a/x/y"));
  CHECK_FALSE(folder("/a/**", "a"));
  CHECK(file("a**z", "x/a/y/z"));
  CHECK(file("**/z", "x/y/z"));
  CHECK_FALSE(file("**/z", "z"));
  CHECK(file("a*c*e", "abcde"));
  CHECK_FALSE(file("a*c*e", "abde"));
}

TEST_CASE("three stars take a folder and all that is in it") {
  CHECK(folder("/a/***", "a"));
  CHECK_FALSE(file("/a/***", "a"));
  CHECK(file("/a/***", "a/b/c"));
  CHECK(file("a/***", "x/a/b"));
  CHECK_FALSE(file("/a/***", "b/c"));
}

TEST_CASE("classes") {
  CHECK(file("[ab]x", "ax"));
  CHECK_FALSE(file("[ab]x", "cx"));
  CHECK(file("[a-c]x", "bx"));
  CHECK(file("[!a-c]x", "dx"));
  CHECK(file("[^a-c]x", "dx"));
  CHECK_FALSE(file("[!a-c]x", "ax"));
  CHECK(file("[]]", "]"));
  CHECK(file("[a-]", "-"));
  CHECK(file("[\\]x]", "]"));
  CHECK(file("[[:digit:]]*", "7up"));
  CHECK_FALSE(file("[[:digit:]]*", "up"));
  CHECK_FALSE(file("/a[!b]c", "a/c"));
  CHECK(file("[\x80-\xff]", "\xc3"));
}

TEST_CASE("a class that is not closed matches nothing") {
  CHECK_FALSE(file("[ab", "a"));
  CHECK_FALSE(file("[ab", "[ab"));
  CHECK_FALSE(file("[[:nothing:]]", "a"));
}

TEST_CASE("a backslash counts only beside wildcards") {
  CHECK(file("a\\b", "a\\b"));
  CHECK(file("\\**", "*x"));
  CHECK_FALSE(file("\\**", "x"));
}

TEST_CASE("the first rule that matches decides") {
  PatternList list;
  REQUIRE(list.add(RuleKind::kInclude, "keep.o"));
  REQUIRE(list.add(RuleKind::kExclude, "*.o"));
  CHECK_FALSE(list.excludes("a/keep.o", EntryType::kFile));
  CHECK(list.excludes("a/other.o", EntryType::kFile));
  CHECK_FALSE(list.excludes("a/other.c", EntryType::kFile));
}

TEST_CASE("only C files: folders stay, the rest goes") {
  PatternList list;
  REQUIRE(list.add(RuleKind::kInclude, "*/"));
  REQUIRE(list.add(RuleKind::kInclude, "*.c"));
  REQUIRE(list.add(RuleKind::kExclude, "*"));
  CHECK_FALSE(list.excludes("src", EntryType::kFolder));
  CHECK_FALSE(list.hides("src/a.c", EntryType::kFile));
  CHECK(list.hides("src/a.h", EntryType::kFile));
}

TEST_CASE("what is in an excluded folder is hidden, whatever else matches it") {
  PatternList list;
  REQUIRE(list.add(RuleKind::kExclude, "/build/"));
  REQUIRE(list.add(RuleKind::kInclude, "/build/keep"));
  CHECK(list.hides("build/keep", EntryType::kFile));
  CHECK_FALSE(list.hides("src/build/keep", EntryType::kFile));
  CHECK_FALSE(list.hides("build", EntryType::kFile));
}

TEST_CASE("lines may say their kind, be comments, or drop what was before") {
  PatternList list;
  REQUIRE(list.add_lines(RuleKind::kExclude, "# a comment\n; another\r\n\n+ keep.o\r\n*.o\n- *.tmp"));
  CHECK_FALSE(list.excludes("keep.o", EntryType::kFile));
  CHECK(list.excludes("x.o", EntryType::kFile));
  CHECK(list.excludes("x.tmp", EntryType::kFile));
  REQUIRE(list.add_lines(RuleKind::kExclude, "!\n*.c\n"));
  CHECK_FALSE(list.excludes("x.o", EntryType::kFile));
  CHECK(list.excludes("x.c", EntryType::kFile));
}

TEST_CASE("a pattern that matches nothing by being empty is refused") {
  PatternList list;
  CHECK_FALSE(list.add(RuleKind::kExclude, ""));
  CHECK_FALSE(list.add(RuleKind::kExclude, "/"));
  CHECK_FALSE(list.add(RuleKind::kExclude, "- "));
}

TEST_CASE("many stars against a long name end soon") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK_FALSE(file(pattern + "b", std::string(4000, 'a')));
}
