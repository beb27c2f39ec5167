// The configuration of millraced: what each layer overrides, and what is said about mistakes.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "server/configuration.h"

using namespace millrace;

namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    char name[] = "/tmp/millrace_settings_XXXXXX";
    path = ::mkdtemp(name);
    fs::create_directory(path / "conf.d");
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return path / name;
  }
  fs::path path;
};

EffectiveSetting find(const Configuration& from, const std::string& name) {
  for (const EffectiveSetting& one : from.settings)
    if (dotted(*one.setting) == name) return one;
  FAIL("no setting " << name);
  return {};
}

std::vector<std::string> problems_of(const std::string& text) {
  const Folder folder;
  const std::string file = folder.write("m.toml", text);
  auto problems = load_configuration({file, {}, {}}).problems;
  for (std::string& problem : problems) {
    REQUIRE(problem.starts_with(file + ":"));
    problem.erase(0, file.size() + 1);
  }
  return problems;
}

using Problems = std::vector<std::string>;

}  // namespace

TEST_CASE("a flag counts before the environment, that before a file, that before the default") {
  const Folder folder;
  const std::string file =
      folder.write("m.toml", "[server]\nloops = 2\nmax_connections = 20\n[peers]\nmin_rate = \"2KiB\"\n");
  const std::vector<std::string> environment{"MILLRACED_SERVER__LOOPS=3", "MILLRACED_PEERS__MIN_RATE=3KiB", "HOME=/x"};
  auto configuration = load_configuration({file, environment, {{"loops", "4"}}});
  const ServeOptions options = to_options(configuration);
  REQUIRE(configuration.problems.empty());
  CHECK(options.limits.loops == 4);
  CHECK(options.limits.peers.min_rate == 3072);
  CHECK(options.limits.max_connections == 20);
  CHECK(options.limits.peers.memory_wait_seconds == 300);
  CHECK(find(configuration, "server.loops").where == "--loops");
  CHECK(find(configuration, "peers.min_rate").where == "MILLRACED_PEERS__MIN_RATE");
  CHECK(find(configuration, "server.max_connections").where == file + ":3");
  CHECK(find(configuration, "memory.wait").where == "default");
}

TEST_CASE("files of conf.d count behind the main one, in the order of their names") {
  const Folder folder;
  const std::string file = folder.write("m.toml", "[server]\nloops = 2\n[tls]\nmode = \"on\"\n");
  folder.write("conf.d/20.toml", "[server]\nloops = 20\n");
  folder.write("conf.d/10.toml", "[server]\nloops = 10\nmax_connections = 10\n");
  folder.write("conf.d/notes.txt", "[nothing]\n");
  auto configuration = load_configuration({file, {}, {}});
  const ServeOptions options = to_options(configuration);
  CHECK(configuration.problems == Problems{});
  CHECK(options.limits.loops == 20);
  CHECK(options.limits.max_connections == 10);
  CHECK(options.tls.mode == TlsChoice::Mode::kOn);
  CHECK(configuration.files.size() == 3);
}

TEST_CASE("what is unknown is named with its line, and what it was probably meant to be") {
  CHECK(problems_of("[server]\nlistn = \"x:1\"\n") ==
        Problems{"2: there is no setting 'server.listn'; did you mean 'listen'?"});
  CHECK(problems_of("[sever]\nlisten = \"x:1\"\n") ==
        Problems{"2: there is no section 'sever'; did you mean 'server'?"});
  CHECK(problems_of("[server]\ndurability = \"full\"\n") ==
        Problems{"2: there is no setting 'server.durability'; did you mean 'storage.durability'?"});
  CHECK(problems_of("listen = \"x:1\"\n") ==
        Problems{"1: 'listen' stands in no section; did you mean 'server.listen'?"});
  CHECK(problems_of("[server]\nzzzzzzzz = 1\n") == Problems{"2: there is no setting 'server.zzzzzzzz'"});
  const auto problems = load_configuration({"", {"MILLRACED_SERVER__LISTN=x"}, {}}).problems;
  CHECK(problems == Problems{"MILLRACED_SERVER__LISTN: no setting has this name in the environment; did you mean "
                             "'MILLRACED_SERVER__LISTEN'?"});
}

TEST_CASE("a value of another type or out of range is refused with its line") {
  CHECK(problems_of("[server]\ndata = 3\n") == Problems{"2: 'server.data' must be a text in quotes."});
  CHECK(problems_of("[server]\nloops = \"3\"\n") == Problems{"2: 'server.loops' must be a number, without quotes."});
  CHECK(problems_of("[server]\nloops = 0\n") == Problems{"2: '0' is out of range: at least 1, at most 256."});
  CHECK(problems_of("[server]\nloops = -1\n") == Problems{"2: '-1' is not a whole number."});
  CHECK(problems_of("[memory]\n\nbudget = \"512KiB\"\n") ==
        Problems{"3: '512KiB' is out of range: at least 1MiB, at most 1TiB."});
  CHECK(problems_of("[memory]\nwait = \"soon\"\n") ==
        Problems{"2: 'soon' is not a duration; write for example 30s, 5m or 24h."});
  CHECK(problems_of("[tls]\nmode = \"maybe\"\n") == Problems{"2: 'maybe' is none of auto, on, off."});
  CHECK(problems_of("[tls]\nmode = [\"on\"]\n") == Problems{"2: 'tls.mode' must be a text in quotes."});
  CHECK(problems_of("[server]\nloops = 1\nloops = 2\n").size() == 1);
}

TEST_CASE("every problem is said, in the order of the lines") {
  const auto problems = problems_of("[server]\nz = 1\nloops = 0\na = 1\n[peers]\nmin_rate = \"x\"\n");
  REQUIRE(problems.size() == 4);
  CHECK(problems[0].starts_with("2: "));
  CHECK(problems[1].starts_with("3: "));
  CHECK(problems[2].starts_with("4: "));
  CHECK(problems[3].starts_with("6: "));
}

TEST_CASE("a file that was named and is missing is an error") {
  CHECK(load_configuration({"/nowhere/m.toml", {}, {}}).problems.size() == 1);
}

TEST_CASE("what only shows when values meet is a problem too") {
  auto configuration = load_configuration({"", {}, {{"certificate", "x"}}});
  (void)to_options(configuration);
  CHECK(configuration.problems == Problems{"--certificate and --key go together."});
  auto address = load_configuration({"", {}, {{"listen", "nowhere"}}});
  (void)to_options(address);
  REQUIRE(address.problems.size() >= 1);
  CHECK(address.problems[0].starts_with("--listen: 'nowhere' is not an address"));
}

TEST_CASE("what is printed can be read again and means the same") {
  const Folder folder;
  auto given = load_configuration(
      {"", {}, {{"data", "/x \"y\"\\z\n\x01"}, {"loops", "7"}, {"memory-budget", "2MiB"}, {"memory-wait", "9"}}});
  const std::string file = folder.write("m.toml", as_toml(given));
  auto again = load_configuration({file, {}, {}});
  CHECK(again.problems == Problems{});
  for (std::size_t i = 0; i < given.settings.size(); ++i) {
    CHECK(again.settings[i].value.text == given.settings[i].value.text);
    CHECK(again.settings[i].value.number == given.settings[i].value.number);
  }
}

TEST_CASE("every default is a value that may be given, and no name is there twice") {
  std::set<std::string> names;
  for (const Setting& setting : settings_table()) {
    const auto value = parse_setting(setting, setting.initial);
    INFO(dotted(setting));
    CHECK(value);
    CHECK(setting.apply != nullptr);
    CHECK(names.insert(std::string(setting.flag)).second);
    CHECK(names.insert(dotted(setting)).second);
  }
}

TEST_CASE("docs/OPERATIONS.md has the table of settings as it is") {
  // MILLRACE_UPDATE_DOCS=1 puts it there.
  const std::string path = MILLRACE_SOURCE "/docs/OPERATIONS.md";
  const std::string begin = "<!-- settings -->\n";
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto from = text.find(begin);
  const auto to = text.find("<!-- end of settings -->");
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  const std::string table = settings_as_markdown();
  const auto first = from + begin.size();
  if (std::getenv("MILLRACE_UPDATE_DOCS") != nullptr) std::ofstream(path) << text.replace(first, to - first, table);
  CHECK(text.compare(first, text.find("<!-- end of settings -->") - first, table) == 0);
}
