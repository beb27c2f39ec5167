// client/options and base/address: what arguments mean.
#include "client/options.h"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace millrace;

namespace {

std::variant<CommandOptions, int> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "millrace");
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  return parse_command_line(static_cast<int>(pointers.size()), pointers.data());
}

}  // namespace

SCENARIO("arguments arrive byte for byte") {
  const std::vector<std::string> names = {"[a,b]",    "{}", "%%",   "\x01x",           "new\nline",
                                          "\xff\xfe", "-",  "./-x", "millrace://h/[x]"};
  std::vector<std::string> words = {"upload"};
  words.insert(words.end(), names.begin(), names.end());
  const auto parsed = parse(words);
  REQUIRE(std::holds_alternative<CommandOptions>(parsed));
  REQUIRE(std::get<CommandOptions>(parsed).arguments == names);
}

SCENARIO("names that begin with a dash stand behind --") {
  const auto parsed = parse({"upload", "-q", "--", "-x", "millrace://h/y"});
  REQUIRE(std::holds_alternative<CommandOptions>(parsed));
  REQUIRE(std::get<CommandOptions>(parsed).arguments == std::vector<std::string>{"-x", "millrace://h/y"});
  REQUIRE(std::get<CommandOptions>(parsed).quiet);
}

SCENARIO("what makes no sense is refused with 2") {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"fly"},
                                             {"upload"},
                                             {"upload", "a"},
                                             {"upload", "--depth", "deep", "a", "b"},
                                             {"upload", "--progress", "dots", "a", "b"},
                                             {"list", "a", "b"},
                                             {"move", "a"},
                                             {"stat", "--force", "a"},
                                             {"upload", "--timeout", "-1", "a", "b"}}) {
    const auto parsed = parse(words);
    REQUIRE(std::holds_alternative<int>(parsed));
    REQUIRE(std::get<int>(parsed) == 2);
  }
}

SCENARIO("the short names are the long ones") {
  for (const auto& [word, verb] : std::vector<std::pair<std::string, Verb>>{
           {"put", Verb::kUpload}, {"get", Verb::kDownload}, {"mv", Verb::kMove}}) {
    const auto parsed = parse({word, "a", "b"});
    REQUIRE(std::get<CommandOptions>(parsed).verb == verb);
  }
  REQUIRE(std::get<CommandOptions>(parse({"rm", "-r", "a"})).recursive);
  REQUIRE(std::get<CommandOptions>(parse({"ls"})).verb == Verb::kList);
}

SCENARIO("depth, whole file and force reach the transfer") {
  const auto options = std::get<CommandOptions>(parse({"upload", "--depth", "1", "--whole-file", "--force", "a", "b"}));
  REQUIRE(options.transfer().max_depth == 1);
  REQUIRE(options.transfer().whole_file);
  REQUIRE(options.transfer().expected);
  REQUIRE(options.transfer().expected->kind == Expected::Kind::kAny);
  REQUIRE_FALSE(std::get<CommandOptions>(parse({"upload", "a", "b"})).transfer().expected);
}

SCENARIO("progress has four styles") {
  for (const auto& [word, style] : std::vector<std::pair<std::string, ProgressStyle>>{{"auto", ProgressStyle::kAuto},
                                                                                      {"bar", ProgressStyle::kBar},
                                                                                      {"plain", ProgressStyle::kPlain},
                                                                                      {"none", ProgressStyle::kNone}}) {
    const auto parsed = parse({"download", "--progress=" + word, "a", "b"});
    REQUIRE(std::get<CommandOptions>(parsed).progress == style);
  }
}

SCENARIO("an address is taken byte for byte, or put behind the server of MILLRACE_URL") {
  REQUIRE(resolve_address("millrace://h:7/a%20b\n", "")->path == "a%20b\n");
  REQUIRE(resolve_address("millrace://[::1]:7/x", "")->host == "::1");
  REQUIRE(resolve_address("millrace://h", "")->port == "5000");
  REQUIRE(resolve_address("x", "millrace://h:7")->path == "x");
  REQUIRE(resolve_address("x", "millrace://h:7/below/")->path == "below/x");
  REQUIRE(resolve_address("x", "millrace://h:7/below")->path == "below/x");
  REQUIRE(resolve_address("", "millrace://h:7/below")->path == "below");
  REQUIRE(resolve_address("millrace://other/x", "millrace://h:7")->host == "other");
  for (const char* bad :
       {"x", "http://h/x", "millrace://", "millrace:///x", "millrace://h:port/x", "millrace://h\n/x"}) {
    const auto refused = resolve_address(bad, "");
    REQUIRE_FALSE(refused);
    REQUIRE(refused.error().code == Code::kUsage);
  }
  REQUIRE_FALSE(resolve_address("x", "nonsense"));
}

TEST_CASE("filters keep the order in which they stand, whatever their kind and their bytes") {
  const auto parsed = parse({"upload", "-r", "--include", "*.c", "--exclude=[a,b]", "--include={}", "--exclude-from",
                             "file", "--exclude", "[x]", "folder", "millrace://host/"});
  const auto& options = std::get<CommandOptions>(parsed);
  REQUIRE(options.filters.size() == 5);
  CHECK(options.filters[0].text == "*.c");
  CHECK(options.filters[0].kind == RuleKind::kInclude);
  CHECK(options.filters[1].text == "[a,b]");
  CHECK(options.filters[1].kind == RuleKind::kExclude);
  CHECK(options.filters[2].text == "{}");
  CHECK(options.filters[3].from_file);
  CHECK(options.filters[4].text == "[x]");
  CHECK(options.arguments == std::vector<std::string>{"folder", "millrace://host/"});
}

TEST_CASE("filters without -r are a usage error") {
  CHECK(std::get<int>(parse({"upload", "--exclude", "x", "a", "millrace://host/"})) == 2);
  CHECK(std::get<int>(parse({"list", "--files-from", "x", "millrace://host/"})) == 2);
}
