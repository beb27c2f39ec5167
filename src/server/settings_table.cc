#include <unistd.h>
#include <cstdlib>
#include <map>
#include <thread>

#include "base/cpu.h"
#include "base/memory_budget.h"
#include "base/units.h"
#include "server/serve_options.h"
#include "server/settings.h"

namespace millrace {

namespace {

constexpr std::uint64_t kDay = 24 * 3600;
constexpr std::uint64_t kTiB = 1024 * kGiB;
constexpr int kMaxPort = 65535;

using Value = SettingValue;
using Options = ServeOptions;

std::string default_data_folder() {
  if (const char* state = std::getenv("XDG_STATE_HOME")) return std::string(state) + "/millraced";
  if (const char* home = std::getenv("HOME"); home != nullptr && geteuid() != 0)
    return std::string(home) + "/.local/state/millraced";
  return "/var/lib/millrace";
}

/// HOST:PORT, an IPv6 host in brackets.
Status take_host_and_port(const std::string& address, const char* example, std::string& host, std::uint16_t& to_port) {
  const auto colon = address.rfind(':');
  long port = -1;
  if (colon != std::string::npos && colon + 1 < address.size()) {
    char* end = nullptr;
    port = std::strtol(address.c_str() + colon + 1, &end, 10);
    if (*end != '\0') port = -1;
  }
  if (port < 0 || port > kMaxPort)
    return fail(Code::kUsage,
                "'" + address + "' is not an address; write HOST:PORT, for example " + std::string(example) + ".");
  to_port = static_cast<std::uint16_t>(port);
  host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {};
}

Status take_address(Options& options, const Value& value) {
  return take_host_and_port(value.text, "127.0.0.1:5000", options.host, options.port);
}

Status take_http(Options& options, const Value& value) {
  options.http = {};
  if (value.text == "auto") return {};
  options.http.mode = value.text == "off" ? HttpChoice::Mode::kOff : HttpChoice::Mode::kAddress;
  if (value.text == "off") return {};
  return take_host_and_port(value.text, "127.0.0.1:8000 (or off)", options.http.host, options.http.port);
}

Status take_durability(Options& options, const Value& value) {
  options.durability = value.text == "full"    ? Durability::kFull
                       : value.text == "batch" ? Durability::kBatch
                                               : Durability::kNone;
  return {};
}

Status take_tls_mode(Options& options, const Value& value) {
  options.tls.mode = value.text == "on"    ? TlsChoice::Mode::kOn
                     : value.text == "off" ? TlsChoice::Mode::kOff
                                           : TlsChoice::Mode::kAuto;
  return {};
}

Status take_log_level(Options& options, const Value& value) {
  options.log.level = value.text == "debug"     ? LogLevel::kDebug
                      : value.text == "info"    ? LogLevel::kInfo
                      : value.text == "warning" ? LogLevel::kWarning
                                                : LogLevel::kError;
  return {};
}

/// The text, the number, or seconds.
template <typename To>
Status put(To& to, const Value& value) {
  if constexpr (std::is_same_v<To, std::string>) {
    to = value.text;
  } else {
    to = To(value.number);
  }
  return {};
}

std::vector<Setting> make_table() {
  using enum SettingKind;
  std::vector<Setting> table;
  const auto row = [&table](Setting setting) { table.push_back(std::move(setting)); };
  row({.section = "server",
       .key = "listen",
       .flag = "listen",
       .kind = kText,
       .initial = "127.0.0.1:5000",
       .description = "HOST:PORT; port 0 takes a free one",
       .apply = take_address});
  row({.section = "server",
       .key = "data",
       .flag = "data",
       .kind = kText,
       .initial = default_data_folder(),
       .initial_words = "`$XDG_STATE_HOME/millraced`, else `~/.local/state/millraced`; for root `/var/lib/millrace`",
       .description = "data folder, made where it is missing; files end up in DIR/files",
       .apply = [](Options& o, const Value& v) { return put(o.data, v); }});
  row({.section = "server",
       .key = "loops",
       .flag = "loops",
       .kind = kCount,
       .initial = std::to_string(default_loops(std::thread::hardware_concurrency())),
       .initial_words = "half as many as processors, 1 to 4",
       .least = 1,
       .most = kMaxLoops,
       .description = "threads that serve connections",
       .apply = [](Options& o, const Value& v) { return put(o.limits.loops, v); }});
  row({.section = "server",
       .key = "max_connections",
       .flag = "max-connections",
       .kind = kCount,
       .initial = "0",
       .initial_words = "`0`: 9/10 of the descriptors above 512",
       .most = kMaxConnections,
       .description = "clients at once; whoever comes past that is told that the server is busy",
       .apply = [](Options& o, const Value& v) { return put(o.limits.max_connections, v); }});
  row({.section = "server",
       .key = "drain_timeout",
       .flag = "drain-timeout",
       .kind = kSeconds,
       .initial = "30s",
       .most = kDay,
       .description = "how long what is under way may go on once the server is asked to end",
       .takes = Takes::kReload,
       .apply = [](Options& o, const Value& v) { return put(o.drain_timeout, v); }});
  row({.section = "server",
       .key = "cpu",
       .flag = "cpu",
       .kind = kChoice,
       .initial = "auto",
       .choices = {"auto", "avx512", "avx2", "plain"},
       .description = "which code for processors to take",
       .apply = [](Options&, const Value& value) { return choose_cpu_path(value.text); }});
  row({.section = "server",
       .key = "allow_anonymous",
       .flag = "allow-anonymous",
       .kind = kFlag,
       .initial = "false",
       .description = "serve everybody off loopback too, as long as there are no accounts",
       .apply = [](Options& o, const Value& v) {
         o.allow_anonymous = v.number != 0;
         return Status();
       }});
  row({.section = "server",
       .key = "auth_timeout",
       .flag = "auth-timeout",
       .kind = kSeconds,
       .initial = "30s",
       .least = 1,
       .most = 3600,
       .description = "from a connection's first moment until it has authenticated (without accounts: said HELLO)",
       .takes = Takes::kReload,
       .apply = [](Options& o, const Value& v) { return put(o.limits.peers.auth_seconds, v); }});
  row({.section = "server",
       .key = "confine",
       .flag = "confine",
       .kind = kChoice,
       .initial = "auto",
       .choices = {"auto", "on", "off"},
       .description =
           "take from the process what it does not need of the file system (Landlock); on: do not start where "
           "the kernel has none; off: for profilers and the like, which have it write elsewhere",
       .apply = [](Options& o, const Value& v) {
         o.confine = v.text == "on" ? ConfineMode::kOn : v.text == "off" ? ConfineMode::kOff : ConfineMode::kAuto;
         return Status();
       }});
  row({.section = "http",
       .key = "listen",
       .flag = "http",
       .kind = kText,
       .initial = "auto",
       .description = "HOST:PORT of pages, API and metrics; `auto`: port 8000 at the host of `listen`, left out with a "
                      "warning where it is taken; `off`",
       .apply = take_http});
  row({.section = "http",
       .key = "max_connections",
       .flag = "http-max-connections",
       .kind = kCount,
       .initial = "1024",
       .least = 1,
       .most = kMaxConnections,
       .description = "HTTP connections at once; past that they are closed as they come",
       .apply = [](Options& o, const Value& v) { return put(o.limits.max_http_connections, v); }});
  row({.section = "http",
       .key = "idle_timeout",
       .flag = "http-idle-timeout",
       .kind = kSeconds,
       .initial = "60s",
       .most = kDay,
       .description = "how long an HTTP connection stays open between two requests; 0: for ever",
       .apply = [](Options& o, const Value& v) { return put(o.limits.http_idle_seconds, v); }});
  row({.section = "tls",
       .key = "mode",
       .flag = "tls",
       .kind = kChoice,
       .initial = "auto",
       .choices = {"auto", "on", "off"},
       .description = "TLS 1.3; auto: everywhere but on loopback",
       .apply = take_tls_mode});
  row({.section = "tls",
       .key = "certificate",
       .flag = "certificate",
       .kind = kText,
       .initial_words = "one that is made in `DIR/tls`",
       .description = "PEM, the chain behind it; the file is read again on SIGHUP",
       .apply = [](Options& o, const Value& v) { return put(o.tls.files.certificate, v); }});
  row({.section = "tls",
       .key = "key",
       .flag = "key",
       .kind = kText,
       .description = "PEM, with the certificate",
       .apply = [](Options& o, const Value& v) { return put(o.tls.files.key, v); }});
  row({.section = "tls",
       .key = "client_ca",
       .flag = "client-ca",
       .kind = kText,
       .description = "serve only clients with a certificate that these authorities (PEM) signed",
       .apply = [](Options& o, const Value& v) { return put(o.tls.files.client_ca, v); }});
  row({.section = "storage",
       .key = "durability",
       .flag = "durability",
       .kind = kChoice,
       .initial = "full",
       .choices = {"full", "batch", "none"},
       .description =
           "full: acknowledged means on disk; batch: on disk some seconds later; none: never flushed, for data "
           "that can be made again",
       .apply = take_durability});
  row({.section = "storage",
       .key = "scan_interval",
       .flag = "scan-interval",
       .kind = kSeconds,
       .initial = "24h",
       .most = 366 * kDay,
       .description = "rest between two looks at all files for what other programs changed; 0: none",
       .apply = [](Options& o, const Value& v) { return put(o.scan_interval, v); }});
  row({.section = "storage",
       .key = "signature_cache",
       .flag = "signature-cache",
       .kind = kSize,
       .initial = "16MiB",
       .most = kTiB,
       .description = "memory for block hashes of content that is compared again and again; 0: none",
       .apply = [](Options& o, const Value& v) { return put(o.signature_cache, v); }});
  row({.section = "storage",
       .key = "copy_ahead",
       .flag = "copy-ahead",
       .kind = kSize,
       .initial = "1GiB",
       .most = kTiB,
       .description = "bytes of a large file that are copied while its client still compares; 0: none",
       .apply = [](Options& o, const Value& v) { return put(o.copy_ahead, v); }});
  row({.section = "storage",
       .key = "scrub_interval",
       .flag = "scrub-interval",
       .kind = kSeconds,
       .initial = "720h",
       .most = 3650 * kDay,
       .description = "rest between two readings of all files that compare them with the catalogue; 0: none",
       .apply = [](Options& o, const Value& v) { return put(o.scrub.interval, v); }});
  row({.section = "storage",
       .key = "scrub_rate",
       .flag = "scrub-rate",
       .kind = kSize,
       .initial = "8MiB",
       .least = 1,
       .most = kTiB,
       .description = "bytes a second that are read for it",
       .apply = [](Options& o, const Value& v) { return put(o.scrub.bytes_per_second, v); }});
  row({.section = "storage",
       .key = "trash_keep",
       .flag = "trash-keep",
       .kind = kSeconds,
       .initial = "168h",
       .most = 3650 * kDay,
       .description = "how long what was replaced or deleted stays in the trash; 0: not at all",
       .apply = [](Options& o, const Value& v) { return put(o.trash_keep, v); }});
  row({.section = "storage",
       .key = "trash_percent",
       .flag = "trash-percent",
       .kind = kCount,
       .initial = "10",
       .least = 1,
       .most = 100,
       .description = "of the file system that the trash may take; the oldest goes first",
       .apply = [](Options& o, const Value& v) { return put(o.trash_percent, v); }});
  row({.section = "storage",
       .key = "reserve",
       .flag = "reserve",
       .kind = kSize,
       .initial = "64MiB",
       .most = kTiB * 1024,
       .description = "with fewer free bytes on the disk the server says that it is not ready (`/readyz`)",
       .apply = [](Options& o, const Value& v) { return put(o.limits.reserve_bytes, v); }});
  row({.section = "memory",
       .key = "budget",
       .flag = "memory-budget",
       .kind = kSize,
       .initial = "256MiB",
       .least = MemoryBudget::kLeast,
       .most = kTiB,
       .description = "for the buffers of all transfers together",
       .apply = [](Options& o, const Value& v) { return put(o.limits.memory_budget, v); }});
  row({.section = "memory",
       .key = "wait",
       .flag = "memory-wait",
       .kind = kSeconds,
       .initial = "5m",
       .least = 1,
       .most = kDay,
       .description = "how long a transfer waits for memory before it is told that the server is busy",
       .takes = Takes::kReload,
       .apply = [](Options& o, const Value& v) { return put(o.limits.peers.memory_wait_seconds, v); }});
  row({.section = "peers",
       .key = "min_rate",
       .flag = "min-rate",
       .kind = kSize,
       .initial = "1KiB",
       .most = kTiB,
       .description = "bytes a second that a client must move while memory is held for it; 0: no such rule",
       .takes = Takes::kReload,
       .apply = [](Options& o, const Value& v) { return put(o.limits.peers.min_rate, v); }});
  row({.section = "peers",
       .key = "min_rate_window",
       .flag = "min-rate-window",
       .kind = kSeconds,
       .initial = "30s",
       .least = 1,
       .most = kDay,
       .description = "time over which that is measured",
       .takes = Takes::kReload,
       .apply = [](Options& o, const Value& v) { return put(o.limits.peers.window_seconds, v); }});
  row({.section = "peers",
       .key = "idle_timeout",
       .flag = "idle-timeout",
       .kind = kSeconds,
       .initial = "0",
       .most = 365 * kDay,
       .description = "time without a request after which a connection is ended; 0: never",
       .takes = Takes::kReload,
       .apply = [](Options& o, const Value& v) { return put(o.limits.peers.idle_seconds, v); }});
  row({.section = "log",
       .key = "format",
       .flag = "log-format",
       .kind = kChoice,
       .initial = "text",
       .choices = {"text", "json"},
       .description = "of the lines on standard error; json: one object a line",
       .apply = [](Options& o, const Value& value) -> Status {
         o.log.format = value.text == "json" ? LogFormat::kJson : LogFormat::kText;
         return {};
       }});
  row({.section = "log",
       .key = "level",
       .flag = "log-level",
       .kind = kChoice,
       .initial = "warning",
       .choices = {"debug", "info", "warning", "error"},
       .description = "info: each connection and each request, too",
       .takes = Takes::kReload,
       .apply = take_log_level});
  row({.section = "log",
       .key = "client_warnings",
       .flag = "log-client-warnings",
       .kind = kCount,
       .initial = "60",
       .most = 1'000'000,
       .description = "warnings a minute that clients can cause; those left out are counted",
       .takes = Takes::kReload,
       .apply = [](Options& o, const Value& v) { return put(o.log.client_warnings, v); }});
  row({.section = "log",
       .key = "audit",
       .flag = "audit-log",
       .kind = kText,
       .initial_words = "none",
       .description = "file that says who changed what, JSON lines; opened anew on SIGHUP",
       .apply = [](Options& o, const Value& v) { return put(o.audit_log, v); }});
  return table;
}

}  // namespace

const std::vector<Setting>& settings_table() {
  static const std::vector<Setting> table = make_table();
  return table;
}

}  // namespace millrace
