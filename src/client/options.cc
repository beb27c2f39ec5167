#include "client/options.h"
#include "delta/ladder_policy.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include "base/cpu.h"
#include "base/path.h"
#include "base/timestamp.h"

namespace millrace {

namespace {

constexpr int kFullLevel = 9;
constexpr int kAnyNumber = -1;
constexpr char kShield = '\x01';
constexpr char kScheme[] = "millrace://";

constexpr char kEpilogue[] =
    "An ADDRESS is millrace://HOST[:PORT]/PATH, or PATH alone when MILLRACE_URL names the server (and a folder on "
    "it). millrace login and millrace logout keep and forget a server's token (millrace login --help).\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 some files failed, 4 a source changed while it was read, 10 not found,\n"
    "11 conflict, 12 not authenticated, 13 not allowed, 14 quota or disk full, 15 integrity, 16 network (may be tried "
    "again), 17 TLS, 18 protocol, "
    "130/143 "
    "signals.";

struct VerbInfo {
  Verb verb;
  const char* name;
  const char* alias;
  const char* help;
  int least;  ///< arguments
  int most;   ///< or kAnyNumber
};

constexpr VerbInfo kVerbs[] = {
    {Verb::kUpload, "upload", "put",
     "upload LOCAL... ADDRESS; - reads standard input; an ADDRESS that ends in / is a folder; -r takes folders too", 2,
     kAnyNumber},
    {Verb::kDownload, "download", "get",
     "download ADDRESS... LOCAL; - writes to standard output; a LOCAL that ends in / is a folder; -r takes folders too",
     2, kAnyNumber},
    {Verb::kList, "list", "ls", "list ADDRESS: the entries of a folder", 0, 1},
    {Verb::kStat, "stat", "", "stat ADDRESS: one entry", 0, 1},
    {Verb::kDelete, "delete", "rm", "delete ADDRESS: a file, or with -r a folder", 1, 1},
    {Verb::kMove, "move", "mv", "move ADDRESS NEWPATH, on the same server", 2, 2},
    {Verb::kVerify, "verify", "",
     "verify ADDRESS [LOCAL]: the server reads the file again and compares it with its catalogue, and with LOCAL", 1,
     2},
    {Verb::kRestore, "restore", "", "restore ADDRESS: bring back what was replaced or deleted last, or at --at TIME", 1,
     1},
};

std::string check_depth(const std::string& value) {
  const bool number = !value.empty() && value.size() < 4 && value.find_first_not_of("0123456789") == std::string::npos;
  return number || value == "full" ? std::string() : "'" + value + "' is not a depth; write a number or full";
}

/// The parser would take a file called "[a,b]" for a list of two and "{}" for none: such words travel through it behind
/// a byte of their own.
std::string shield(std::string word) {
  const bool special =
      word.starts_with('[') || word.starts_with('{') || word.starts_with('%') || word.starts_with(kShield);
  return special ? kShield + word : word;
}

std::string unshield(std::string word) {
  return word.starts_with(kShield) ? word.substr(1) : word;
}

constexpr std::array<std::string_view, 5> kPatternOptions = {"--exclude", "--include", "--exclude-from",
                                                             "--include-from", "--files-from"};

/// The words as the parser wants them, the last first. An option's pattern becomes a word of its own, so that it can be
/// shielded too.
std::vector<std::string> parser_words(int argc, char** argv) {
  std::vector<std::string> words;
  bool options_over = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    options_over = options_over || word == "--";
    const std::size_t equals = word.find('=');
    const bool pattern =
        !options_over && equals != std::string::npos &&
        std::find(kPatternOptions.begin(), kPatternOptions.end(), word.substr(0, equals)) != kPatternOptions.end();
    if (pattern) {
      words.push_back(word.substr(0, equals));
      words.push_back(kShield + word.substr(equals + 1));
    } else {
      words.push_back(shield(word));
    }
  }
  std::reverse(words.begin(), words.end());
  return words;
}

/// What chooses files in a tree. The parser calls back for each kind of option by itself; their common order is read
/// from where each stood.
class FilterOptions {
 public:
  void add_to(CLI::App& command) {
    command_ = &command;
    add("--exclude", RuleKind::kExclude, false, "leave out what matches PATTERN (as rsync does; needs -r)", "PATTERN");
    add("--include", RuleKind::kInclude, false, "do not leave out what matches PATTERN", "PATTERN");
    add("--exclude-from", RuleKind::kExclude, true, "patterns from FILE, one a line; - is standard input", "FILE");
    add("--include-from", RuleKind::kInclude, true, "patterns to keep from FILE", "FILE");
  }
  std::vector<FilterOption> in_order() const {
    std::vector<FilterOption> result;
    std::map<const CLI::Option*, std::size_t> used;
    for (const CLI::Option* const parsed : command_->parse_order()) {
      const auto known =
          std::find_if(options_.begin(), options_.end(), [&](const Known& option) { return option.option == parsed; });
      if (known == options_.end()) continue;
      const std::size_t at = used[parsed]++;
      if (at < parsed->results().size()) {
        result.push_back({known->kind, known->from_file, unshield(parsed->results()[at])});
      }
    }
    return result;
  }

 private:
  struct Known {
    const CLI::Option* option;
    RuleKind kind;
    bool from_file;
  };
  void add(const char* name, RuleKind kind, bool from_file, const char* help, const char* type) {
    auto* const option = command_->add_option(name, texts_, help)->type_name(type)->allow_extra_args(false);
    options_.push_back({option, kind, from_file});
  }
  CLI::App* command_ = nullptr;
  std::vector<Known> options_;
  std::vector<std::string> texts_;  ///< of the option that was stored last; their order needs results()
};

ProgressStyle progress_style(const std::string& name) {
  if (name == "bar") return ProgressStyle::kBar;
  if (name == "plain") return ProgressStyle::kPlain;
  return name == "none" ? ProgressStyle::kNone : ProgressStyle::kAuto;
}

void add_transfer_options(CLI::App& command, CommandOptions& options, std::string& progress) {
  command.add_option("--depth", options.depth, "rungs of the delta's ladder: 0, 1, 2, ... or full")->check(check_depth);
  command.add_flag("--whole-file", options.whole_file, "no delta");
  command.add_flag("-n,--dry-run", options.dry_run, "say what would be done, change nothing");
  command.add_flag("--force", options.force, "replace what is there, even if somebody else changed it meanwhile");
  command.add_option("--progress", progress, "auto (a bar on a terminal), bar, plain (a line each second) or none")
      ->check(CLI::IsMember({"auto", "bar", "plain", "none"}).description(""))
      ->type_name("STYLE");
}

void add_security_options(CLI::App& command, Security& security) {
  auto* const tls = command.add_flag_callback(
      "--tls", [&security] { security.mode = Security::Mode::kTls; }, "encrypt, also to this machine itself");
  command
      .add_flag_callback(
          "--plain", [&security] { security.mode = Security::Mode::kPlain; },
          "do not encrypt: whoever is in between reads and changes everything")
      ->excludes(tls);
  command.add_option("--cacert", security.ca, "believe servers whose certificate these authorities signed")
      ->type_name("FILE")
      ->envname("MILLRACE_CACERT");
  command.add_option("--certificate", security.certificate, "show this certificate to the server")->type_name("FILE");
  command.add_option("--key", security.key, "its key")->type_name("FILE");
  command.add_option("--token-file", security.token_file, "show the token in FILE to the server")->type_name("FILE");
  command.add_flag("--strict-pin", security.strict_pin, "refuse a server whose key is not known yet");
}

/// What is parsed first and converted afterwards.
struct Parsed {
  std::string progress = "auto";
  std::int64_t timeout = 0;  ///< seconds
  std::string at;
  std::vector<std::unique_ptr<FilterOptions>> filters;
};

void add_options(CLI::App& command, const VerbInfo& verb, CommandOptions& options, Parsed& parsed) {
  auto* const positional = command.add_option("arguments", options.arguments, "files and addresses")->type_name("");
  positional->expected(verb.least, verb.most == kAnyNumber ? CLI::detail::expected_max_vector_size : verb.most);
  if (verb.least > 0) positional->required();
  command.add_flag("-q,--quiet", options.quiet, "say nothing but errors");
  command.add_flag("-v,--verbose", options.verbose, "a line for each file");
  command.add_flag("--json", options.as_json, "events as JSON, one a line, on standard output");
  command
      .add_option("--timeout", parsed.timeout,
                  "seconds without a sign of life after which the server counts as gone; 0: never")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000}).description(""))
      ->type_name("SECONDS");
  command
      .add_option("--retries", options.retries,
                  "how often a connection that is lost is made anew, with growing pauses; 0: never")
      ->check(CLI::Range(0u, 1000u).description(""))
      ->envname("MILLRACE_RETRIES")
      ->type_name("N");
  add_security_options(command, options.security);
  command.add_option("--cpu", options.cpu, "auto, avx512, avx2 or plain: which code for processors to take");
  switch (verb.verb) {
    case Verb::kUpload:
    case Verb::kDownload:
      add_transfer_options(command, options, parsed.progress);
      command.add_flag("-c,--checksum", options.checksum,
                       "with -r: compare contents, also where size, time and mode are the same");
      [[fallthrough]];
    case Verb::kList:
      parsed.filters.push_back(std::make_unique<FilterOptions>());
      parsed.filters.back()->add_to(command);
      command.add_option("--files-from", options.files_from, "only the names in FILE; - is standard input (needs -r)")
          ->type_name("FILE");
      [[fallthrough]];
    case Verb::kDelete:
      command.add_flag("-r,--recursive", options.recursive, "folders with all that is in them");
      if (verb.verb == Verb::kList)
        command.add_flag("--trash", options.trash, "what was replaced or deleted at ADDRESS or below, and when");
      break;
    case Verb::kRestore:
      command.add_option("--at", parsed.at, "the version that went at TIME, as list --trash shows it")
          ->type_name("TIME");
      command.add_option("--to", options.restore_to, "put it at PATH instead of where it was")->type_name("PATH");
      command.add_flag("--force", options.force, "replace what is there; it goes to the trash itself");
      break;
    case Verb::kMove:
      command.add_flag("--force", options.force, "replace what is there");
      break;
    default:
      break;
  }
  if (verb.verb == Verb::kDelete || verb.verb == Verb::kMove) {
    command.add_flag("-n,--dry-run", options.dry_run, "say what would be done, change nothing");
  }
}

}  // namespace

const char* verb_name(Verb verb) {
  return kVerbs[static_cast<std::size_t>(verb)].name;
}

TransferOptions CommandOptions::transfer() const {
  TransferOptions result;
  if (depth == "full") {
    result.max_depth = millrace::kFullDepth;
    result.level = kFullLevel;
  } else if (!depth.empty()) {
    result.max_depth = static_cast<std::uint32_t>(std::stoul(depth));
  }
  result.whole_file = whole_file;
  if (force) result.expected = Expected{};
  return result;
}

std::variant<CommandOptions, int> parse_command_line(int argc, char** argv) {
  CLI::App app("millrace: keeps files in step with a server and sends only what changed");
  app.require_subcommand(1);
  app.footer(kEpilogue);
  app.set_version_flag("--version", std::string("millrace ") + MILLRACE_VERSION);
  CommandOptions options;
  Parsed parsed;
  parsed.timeout = options.timeout.count();
  for (const VerbInfo& verb : kVerbs) {
    auto* const command = app.add_subcommand(verb.name, verb.help);
    if (*verb.alias != '\0') command->alias(verb.alias);
    // The options of the one command that is called: making those of all takes longer than parsing.
    command->preparse_callback([&, command](std::size_t) { add_options(*command, verb, options, parsed); });
    command->final_callback([&options, which = verb.verb] { options.verb = which; });
  }
  try {
    app.parse(parser_words(argc, argv));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  for (std::string& argument : options.arguments) argument = unshield(std::move(argument));
  options.files_from = unshield(std::move(options.files_from));
  for (const auto& chosen : parsed.filters) {
    for (FilterOption& filter : chosen->in_order()) options.filters.push_back(std::move(filter));
  }
  if (!options.recursive && (!options.filters.empty() || !options.files_from.empty())) {
    std::fputs("error[E_USAGE]: --exclude, --include and --files-from choose files in folders; add -r.\n", stderr);
    return 2;
  }
  if (const Status chosen = choose_cpu_path(options.cpu); !chosen) {
    std::fprintf(stderr, "error[E_USAGE]: %s\n", chosen.error().sentence.c_str());
    return 2;
  }
  if (!parsed.at.empty()) {
    const auto at = parse_timestamp(parsed.at);
    if (!at) {
      std::fprintf(stderr,
                   "error[E_USAGE]: --at '%s' is no time as list --trash shows it (2026-11-27T19:00:00.123456789Z).\n",
                   printable(parsed.at).c_str());
      return 2;
    }
    options.trashed_ns = *at;
  }
  if (options.trash && !options.filters.empty()) {
    std::fputs("error[E_USAGE]: --trash takes no patterns; name a folder or file instead.\n", stderr);
    return 2;
  }
  options.progress = progress_style(parsed.progress);
  options.timeout = std::chrono::seconds(parsed.timeout);
  if (const char* const server = std::getenv("MILLRACE_URL")) options.server = server;
  return options;
}

Result<Url> resolve_address(const std::string& argument, const std::string& server) {
  if (argument.starts_with(kScheme)) return parse_url(argument);
  if (server.empty()) {
    return fail(Code::kUsage,
                "'" + printable(argument) +
                    "' is not an address; write millrace://HOST:PORT/PATH, or name the server in MILLRACE_URL.");
  }
  auto url = parse_url(server);
  if (!url) return fail(Code::kUsage, "MILLRACE_URL does not name a server: " + url.error().sentence);
  if (!url->path.empty() && !url->path.ends_with('/') && !argument.empty()) url->path += '/';
  url->path += argument;
  return url;
}

}  // namespace millrace
