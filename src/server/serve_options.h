// What `millraced serve` takes from its command line, each with its default. docs/OPERATIONS.md has the same table.
#pragma once

#include <chrono>
#include <string>
#include <variant>

#include "server/server_limits.h"
#include "server/server_tls.h"
#include "store/directory_store.h"

namespace millrace {

/// Whether the server takes from itself what it does not need of the file system. kAuto: where the kernel can do it.
enum class ConfineMode { kAuto, kOn, kOff };

struct ServeOptions {
  std::string data;  ///< folder
  std::string host;
  std::uint16_t port = 0;  ///< 0: a free one
  Durability durability = Durability::kFull;
  TlsChoice tls;
  ConfineMode confine = ConfineMode::kAuto;
  ServerLimits limits;
  std::size_t signature_cache = 16u << 20;  ///< bytes
  std::chrono::seconds scan_interval{0};    ///< 0: no scan
};

/// Says it on standard error; the exit code that belongs to it.
int complain(const Error& error);

/// What to serve, or the exit code when there is nothing (more) to do: help was printed, or the sentence why not.
std::variant<ServeOptions, int> parse_serve_command(int argc, char** argv);

}  // namespace millrace
