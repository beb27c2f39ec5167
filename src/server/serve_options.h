// What `millraced serve` runs with, and the command line that says so. Which settings there are is in
// settings_table.cc.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/log.h"
#include "server/server_limits.h"
#include "server/server_tls.h"
#include "store/directory_store.h"

namespace millrace {

/// Where settings were read, so that SIGHUP can read them again.
struct ConfigSources {
  std::string file;                                        ///< of --config; empty: the default one, if it is there
  std::vector<std::string> environment;                    ///< NAME=VALUE
  std::vector<std::pair<std::string, std::string>> flags;  ///< without dashes
};
/// Whether the server takes from itself what it does not need of the file system. kAuto: where the kernel can do it.
enum class ConfineMode { kAuto, kOn, kOff };

/// Where pages, API and metrics are served.
struct HttpChoice {
  enum class Mode { kAuto, kOff, kAddress };
  Mode mode = Mode::kAuto;  ///< kAuto: port 8000 beside the other listener, if it is free
  std::string host;         ///< for kAddress
  std::uint16_t port = 0;   ///< likewise; 0: a free one
};

struct ServeOptions {
  std::string data;  ///< folder
  std::string host;
  std::uint16_t port = 0;  ///< 0: a free one
  HttpChoice http;
  Durability durability = Durability::kFull;
  TlsChoice tls;
  bool allow_anonymous = false;  ///< off loopback too
  ConfineMode confine = ConfineMode::kAuto;
  ServerLimits limits;
  std::size_t signature_cache = 16u << 20;            ///< bytes
  std::uint64_t copy_ahead = std::uint64_t{1} << 30;  ///< bytes, of each upload
  std::chrono::seconds scan_interval{0};              ///< 0: no scan
  ScrubLimits scrub;                                  ///< an interval of 0: none
  std::chrono::seconds trash_keep{0};                 ///< 0: nothing is kept
  unsigned trash_percent = 10;                        ///< of the file system
  std::chrono::seconds drain_timeout{30};             ///< 0: ends at once
  Log::Options log;
  std::string audit_log;  ///< file; empty: none
  ConfigSources sources;
};

/// Says it on standard error; the exit code that belongs to it.
int complain(const Error& error);

/// What to serve, or the exit code when there is nothing (more) to do: help or the configuration was printed, or what
/// is wrong with it.
std::variant<ServeOptions, int> parse_serve_command(int argc, char** argv);

}  // namespace millrace
