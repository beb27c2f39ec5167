#include "load/load_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "base/address.h"
#include "base/cpu.h"
#include "base/random.h"
#include "base/units.h"
#include "load/rate_search.h"
#include "load/words.h"
#include "session/token_source.h"

namespace millrace {

namespace {

constexpr std::uint32_t kMostClients = 1'000'000;
constexpr std::uint32_t kMostLoops = 64;
constexpr std::uint32_t kMostRepeats = 1000;
constexpr std::uint32_t kMostEdits = 100'000;
constexpr double kMostSeconds = 7 * 24 * 3600;
constexpr Seconds kIdleSeconds{10};
constexpr Seconds kProbeSeconds{5};  ///< of each rate that --find-max tries
constexpr double kFirstRate = 50;
constexpr char kDefaultMix[] = "upload-delta=50,download=20,download-delta=20,list=10";

constexpr char kEpilogue[] =
    "Each client owns one file, load/SEED/NUMBER on the server, which is put there before the measurement and stays "
    "unless\n--cleanup is given.\n"
    "Exit codes: 0 done, 2 usage or a limit of this machine, 3 a threshold was missed, 15 a file was lost, 16 no "
    "server,\n130/143 signals.";

struct OperationInfo {
  Operation operation;
  const char* name;
};

constexpr OperationInfo kOperations[] = {
    {Operation::kUpload, "upload"},     {Operation::kUploadDelta, "upload-delta"},
    {Operation::kDownload, "download"}, {Operation::kDownloadDelta, "download-delta"},
    {Operation::kList, "list"},         {Operation::kIdle, "idle"},
    {Operation::kMixed, "mixed"},
};

Result<Operation> parse_operation(std::string_view name) {
  for (const OperationInfo& info : kOperations) {
    if (name == info.name) return info.operation;
  }
  return fail(Code::kUsage,
              "'" + std::string(name) +
                  "' is not an operation; there are upload, upload-delta, download, download-delta, list, "
                  "idle and mixed.");
}

/// The options that need more than the parser does, as they were written.
struct Words {
  std::string operation = "upload-delta";
  std::string mix;
  std::string model = "closed";
  std::string edit_size = "256";
  std::string ramp;
  std::string warmup;
  std::string measure;
  std::string timeout;
  std::string threshold;
  std::string cpu = "auto";
  std::string find_max;
};

Status take_duration(const std::string& text, Seconds& into) {
  if (text.empty()) return {};
  MILLRACE_ASSIGN(into, parse_duration(text));
  return {};
}

bool edits_files(const LoadOptions& options) {
  const auto edits = [](Operation one) { return one == Operation::kUploadDelta || one == Operation::kDownloadDelta; };
  return edits(options.operation) || std::any_of(options.mix.begin(), options.mix.end(),
                                                 [&edits](const auto& share) { return edits(share.first); });
}

Status check_find_max(const LoadOptions& options) {
  if (options.operation == Operation::kIdle)
    return fail(Code::kUsage, "Idle clients transfer nothing: --find-max needs an operation.");
  if (options.loops > 1) return fail(Code::kUsage, "--find-max takes one loop.");
  if (options.transfers || options.repeat > 1)
    return fail(Code::kUsage, "--find-max tries each rate for --measure, not for --transfers or --repeat.");
  for (const Threshold& one : options.find_max) {
    if (one.metric == Threshold::Metric::kLost)
      return fail(Code::kUsage, "What was lost is known at the end only: --threshold lost<1 --verify, not --find-max.");
  }
  return {};
}

/// What cannot be meant.
Status check(const LoadOptions& options, const Words& words) {
  const bool open = options.model == Model::kOpen;
  if (open && options.rate <= 0) return fail(Code::kUsage, "--model open needs --rate, the transfers a second.");
  if (!open && options.rate > 0) return fail(Code::kUsage, "--rate goes with --model open only.");
  if (options.operation != Operation::kMixed && !words.mix.empty())
    return fail(Code::kUsage, "--mix goes with --op mixed only.");
  if (options.operation == Operation::kIdle) {
    if (open || options.transfers)
      return fail(Code::kUsage, "Idle clients transfer nothing: --op idle takes --measure.");
  }
  if (options.loops > options.clients) return fail(Code::kUsage, "There cannot be more --loops than --clients.");
  if (options.transfers == std::uint64_t{0}) return fail(Code::kUsage, "--transfers must be at least 1.");
  if (edits_files(options)) {
    const bool ranges = options.edits.kind != EditKind::kShuffle;
    if (ranges && options.edits.edit_bytes == 0) return fail(Code::kUsage, "--edit-size must be at least 1.");
    const bool inside = options.edits.kind == EditKind::kOverwrite;
    if (inside && std::uint64_t{options.edits.edits} * options.edits.edit_bytes > options.size.least) {
      return fail(Code::kUsage, std::to_string(options.edits.edits) + " edits of " +
                                    std::to_string(options.edits.edit_bytes) + " bytes do not fit into a file of " +
                                    std::to_string(options.size.least) +
                                    "; take fewer or smaller ones, or larger files.");
    }
    if (!ranges && options.size.least < std::max(2u, options.edits.edits))
      return fail(Code::kUsage, "--change shuffle needs files with at least a byte for each segment.");
  }
  return {};
}

Status complete(LoadOptions& options, const Words& words) {
  MILLRACE_TRY(choose_cpu_path(words.cpu));
  MILLRACE_ASSIGN(options.url, parse_url(options.url_text));
  if (!options.url.path.empty())
    return fail(Code::kUsage, "--url names a server only, millrace://HOST:PORT; the files are below load/ there.");
  MILLRACE_ASSIGN(options.token, given_token(options.token_file));
  if (options.token && !options.tls && !is_loopback(options.url.host))
    return fail(Code::kUsage, "A token would go to " + options.url.host + " unencrypted; add --tls.");
  if (options.tls && options.slow_clients > 0)
    return fail(Code::kUsage,
                "--slow-clients speak no TLS, so the server would turn them away; leave one of them out.");
  MILLRACE_ASSIGN(options.operation, parse_operation(words.operation));
  MILLRACE_ASSIGN(options.size, parse_size_range(options.size_text));
  MILLRACE_ASSIGN(const std::uint64_t edit_bytes, parse_size(words.edit_size));
  if (edit_bytes > UINT32_MAX) return fail(Code::kUsage, "--edit-size is at most 4 GiB.");
  options.edits.edit_bytes = static_cast<std::uint32_t>(edit_bytes);
  options.edits.kind = options.change_text == "insert"    ? EditKind::kInsert
                       : options.change_text == "append"  ? EditKind::kAppend
                       : options.change_text == "shuffle" ? EditKind::kShuffle
                                                          : EditKind::kOverwrite;
  MILLRACE_ASSIGN(options.find_max, parse_thresholds(words.find_max));
  if (!options.find_max.empty()) {
    MILLRACE_TRY(check_find_max(options));
    if (options.rate <= 0) options.rate = kFirstRate;
    if (words.measure.empty()) options.measure = kProbeSeconds;
  }
  const bool open = words.model == "open" || !options.find_max.empty();
  options.model = open ? Model::kOpen : Model::kClosed;
  MILLRACE_TRY(take_duration(words.ramp, options.ramp));
  MILLRACE_TRY(take_duration(words.warmup, options.warmup));
  MILLRACE_TRY(take_duration(words.timeout, options.timeout));
  if (options.timeout.count() <= 0) return fail(Code::kUsage, "--timeout must be longer than nothing.");
  if (!words.measure.empty()) {
    MILLRACE_ASSIGN(options.measure, parse_duration(words.measure));
    if (options.measure->count() <= 0) return fail(Code::kUsage, "--measure must be longer than nothing.");
  }
  if (options.operation == Operation::kMixed) {
    MILLRACE_ASSIGN(options.mix, parse_mix(words.mix.empty() ? kDefaultMix : words.mix));
  }
  MILLRACE_ASSIGN(options.thresholds, parse_thresholds(words.threshold));
  MILLRACE_TRY(check(options, words));
  if (options.operation == Operation::kIdle) {
    if (!options.measure) options.measure = kIdleSeconds;
  } else if (!options.transfers && !options.measure) {
    options.transfers = options.clients;
  }
  return {};
}

/// A scenario's lines are options of `run`: clients = 1000.
class ScenarioFile final : public CLI::ConfigTOML {
 public:
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    auto items = CLI::ConfigTOML::from_config(input);
    for (CLI::ConfigItem& item : items) {
      if (item.name != "++" && item.name != "--") item.parents.insert(item.parents.begin(), "run");
    }
    return items;
  }
};

void add_run(CLI::App& run, LoadOptions& options, Words& words) {
  run.add_option("--url", options.url_text, "the server, millrace://HOST:PORT")->required();
  run.add_flag("--tls", options.tls, "encrypt; the server's certificate is not looked at");
  run.add_option("--token-file", options.token_file,
                 "the token that every client shows; else MILLRACE_TOKEN (or _FILE)");
  run.add_option("--op", words.operation, "upload, upload-delta, download, download-delta, list, idle or mixed");
  run.add_option("--mix", words.mix, "with --op mixed: upload-delta=70,download=20,list=10");
  run.add_option("--clients", options.clients, "connections")->check(CLI::Range(1u, kMostClients));
  run.add_option("--loops", options.loops, "threads that they are spread over")->check(CLI::Range(1u, kMostLoops));
  run.add_option("--transfers", options.transfers, "in all, after the files are in place; default: one a client");
  run.add_option("--measure,--duration", words.measure, "begin transfers for so long, 30s");
  run.add_option("--size", options.size_text, "of the files: 64KiB, 4KiB..1GiB or 4KiB..1GiB:log");
  run.add_option("--change", options.change_text, "overwrite, insert, append or shuffle")
      ->check(CLI::IsMember({"overwrite", "insert", "append", "shuffle"}).description(""));
  run.add_option("--edits", options.edits.edits, "changed ranges in each new version")
      ->check(CLI::Range(1u, kMostEdits));
  run.add_option("--edit-size", words.edit_size, "bytes of each");
  run.add_option("--seed", options.seed, "the same seed gives the same files and edits");
  run.add_option("--model", words.model, "closed: a client's next transfer follows its last; open: at --rate")
      ->check(CLI::IsMember({"closed", "open"}).description(""));
  run.add_option("--rate", options.rate, "transfers a second")->check(CLI::Range(0.0, kMostRate));
  run.add_option("--ramp", words.ramp, "spread the clients' beginnings over so long");
  run.add_option("--warmup", words.warmup, "leave out of the results what begins in the first part");
  run.add_option("--repeat", options.repeat, "runs, each measured on its own")->check(CLI::Range(1u, kMostRepeats));
  run.add_option("--slow-clients", options.slow_clients, "further clients that read or write one byte a second")
      ->check(CLI::Range(0u, kMostClients));
  run.add_option("--timeout", words.timeout, "after which a transfer counts as failed; default 300s");
  run.add_flag("--verify", options.verify, "afterwards compare what the server has with what it acknowledged");
  run.add_flag("--cleanup", options.cleanup, "afterwards delete the files");
  run.add_option("--threshold", words.threshold, "p99<200ms,errors<0.1%: exit 3 when missed");
  run.add_option("--find-max", words.find_max,
                 "look for the highest rate that holds p99<200ms,errors<0.1%; --measure for each (default 5s)");
  run.add_option("--server-pid", options.server_pid, "a server on this machine: its CPU time and memory are reported");
  run.add_option("--json", options.json_path, "where the whole report goes; - is standard output");
  run.add_option("--cpu", words.cpu, "auto, avx512, avx2 or plain: which code for processors to take");
  run.add_flag("-q,--quiet", options.quiet, "no progress and no report for people");
}

constexpr char kHtmlHelp[] = "a page with charts, in one file, instead of text; -: standard output";

}  // namespace

const char* operation_name(Operation operation) {
  return kOperations[static_cast<std::size_t>(operation)].name;
}

std::uint64_t SizeRange::of(std::uint64_t seed, std::uint32_t client) const {
  if (least == most) return least;
  SeededRandom random(SeededRandom(seed)() ^ (std::uint64_t{client} + 1));
  random();
  const double at = static_cast<double>(random() >> 11) * 0x1p-53;
  const auto low = static_cast<double>(least);
  const auto high = static_cast<double>(most);
  const double bytes = spread == Spread::kUniform ? low + at * (high - low)
                                                  : std::exp(std::log(low) + at * (std::log(high) - std::log(low)));
  return std::clamp(static_cast<std::uint64_t>(bytes), least, most);
}

Result<SizeRange> parse_size_range(std::string_view text) {
  SizeRange range;
  std::string_view bounds = text;
  if (bounds.ends_with(":log")) {
    range.spread = SizeRange::Spread::kLogarithmic;
    bounds.remove_suffix(4);
  }
  const auto dots = bounds.find("..");
  MILLRACE_ASSIGN(range.least, parse_size(bounds.substr(0, dots)));
  range.most = range.least;
  if (dots != std::string_view::npos) {
    MILLRACE_ASSIGN(range.most, parse_size(bounds.substr(dots + 2)));
  }
  if (range.least == 0 || range.most < range.least) {
    return fail(Code::kUsage, "'" + std::string(text) +
                                  "' is no range of sizes; write for example 64KiB, 4KiB..1GiB or 4KiB..1GiB:log.");
  }
  return range;
}

Result<Seconds> parse_duration(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {{"ms", 1e-3}, {"us", 1e-6}, {"s", 1},
                                                                   {"m", 60},    {"h", 3600},  {"", 1}};
  for (const auto& [unit, seconds] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto number = parse_number(text.substr(0, text.size() - unit.size()));
    if (number && *number * seconds <= kMostSeconds) return Seconds(*number * seconds);
  }
  return fail(Code::kUsage,
              "'" + std::string(text) + "' is not a duration of up to a week; write for example 500ms, 30s, 2m or 1h.");
}

Result<std::vector<std::pair<Operation, std::uint32_t>>> parse_mix(std::string_view text) {
  std::vector<std::pair<Operation, std::uint32_t>> mix;
  for (const std::string_view word : split_words(text)) {
    const auto equals = word.find('=');
    const auto share = equals == std::string_view::npos ? std::nullopt : parse_number(word.substr(equals + 1));
    MILLRACE_ASSIGN(const Operation operation, parse_operation(word.substr(0, equals)));
    const bool single = operation != Operation::kIdle && operation != Operation::kMixed;
    if (!single || !share || *share < 1 || *share > 1'000'000) {
      return fail(Code::kUsage, "'" + std::string(word) +
                                    "' is no part of a mix; write for example upload-delta=70,download=20,list=10.");
    }
    mix.emplace_back(operation, static_cast<std::uint32_t>(*share));
  }
  if (mix.empty()) return fail(Code::kUsage, "A mix needs at least one operation.");
  return mix;
}

LoadCommand parse_load_command(int argc, char** argv) {
  CLI::App app("millrace-load: many clients in one process, to see what a server bears");
  app.require_subcommand(1);
  app.footer(kEpilogue);
  app.set_version_flag("--version", std::string("millrace-load ") + MILLRACE_VERSION);
  LoadOptions load;
  ReportOptions report;
  CompareOptions compare;
  Words words;
  app.set_config("--scenario", "", "a file with options of run, one to a line: clients = 1000");
  app.config_formatter(std::make_shared<ScenarioFile>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  auto* const run = app.add_subcommand("run", "connect clients, have them transfer, measure");
  run->fallthrough();  // --scenario may stand behind `run` too
  add_run(*run, load, words);
  auto* const show = app.add_subcommand("report", "print a report that `run --json` has written");
  show->add_option("FILE", report.path)->required();
  show->add_option("--html", report.html, kHtmlHelp)->type_name("PAGE");
  auto* const against = app.add_subcommand("compare", "compare runs: compare A.json... --against B.json...");
  against->add_option("FILES", compare.first, "reports of the first kind")->required();
  against->add_option("--against", compare.second, "reports of the second kind")->required();
  against->add_option("--html", compare.html, kHtmlHelp)->type_name("PAGE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (show->parsed()) return report;
  if (against->parsed()) return compare;
  if (const Status status = complete(load, words); !status) {
    std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(status.error().code)).c_str(),
                 status.error().sentence.c_str());
    return 2;
  }
  return load;
}

}  // namespace millrace
