// What the command line asks for, taken apart and checked as far as that is possible without a server.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "client/dial.h"
#include "client/patterns.h"
#include "sync/client_transfer.h"

namespace millrace {

enum class Verb : std::uint8_t { kUpload, kDownload, kList, kStat, kDelete, kMove, kVerify, kRestore };

/// "upload" and so on.
const char* verb_name(Verb verb);

enum class ProgressStyle : std::uint8_t {
  kAuto,   ///< kBar on a terminal, else kNone
  kBar,    ///< one line that is drawn over
  kPlain,  ///< a line each second
  kNone,
};

/// One --include, --exclude, --include-from or --exclude-from, in the order of the command line.
struct FilterOption {
  RuleKind kind = RuleKind::kExclude;
  bool from_file = false;  ///< `text` names a file of patterns, "-" standard input
  std::string text;
};

struct CommandOptions {
  Verb verb = Verb::kList;
  std::vector<std::string> arguments;  ///< byte for byte as they were given
  std::string server;                  ///< MILLRACE_URL, may be empty
  bool quiet = false;
  bool verbose = false;
  bool as_json = false;
  bool dry_run = false;
  bool force = false;
  bool recursive = false;
  bool trash = false;           ///< list what was replaced or deleted
  std::int64_t trashed_ns = 0;  ///< the version to restore; 0: the last
  std::string restore_to;       ///< a path on the same server; empty: where it was
  bool checksum = false;        ///< compare contents, also where size, time and mode are alike
  bool whole_file = false;
  std::vector<FilterOption> filters;
  std::string files_from;  ///< a file of names, "-" standard input, empty: all of the tree
  Security security;
  std::string depth;  ///< empty, "full" or a number
  std::string cpu = "auto";
  unsigned retries = 8;              ///< of connections that are lost
  std::chrono::seconds timeout{60};  ///< of a server that says nothing; 0: none
  ProgressStyle progress = ProgressStyle::kAuto;

  TransferOptions transfer() const;
};

/// What to run, or the exit code when there is nothing (more) to do: help was printed, or the sentence why not.
std::variant<CommandOptions, int> parse_command_line(int argc, char** argv);

/// The address that an argument means: a whole one, or a path behind the server that MILLRACE_URL names. Errors:
/// kUsage.
Result<Url> resolve_address(const std::string& argument, const std::string& server);

}  // namespace millrace
