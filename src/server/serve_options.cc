#include "server/serve_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

#include "base/cpu.h"
#include "base/memory_budget.h"
#include "base/units.h"
#include "store/background_scan.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMaxScanInterval = 366ull * 24 * 3600;
constexpr int kMaxPort = 65535;
constexpr int kFailedExit = 1;
constexpr int kUsageExit = 2;

std::string default_data_folder() {
  if (const char* state = std::getenv("XDG_STATE_HOME")) return std::string(state) + "/millraced";
  if (const char* home = std::getenv("HOME"); home != nullptr && geteuid() != 0)
    return std::string(home) + "/.local/state/millraced";
  return "/var/lib/millrace";
}

/// HOST:PORT, an IPv6 host in brackets.
Status take_address(const std::string& address, ServeOptions& options) {
  const auto colon = address.rfind(':');
  long port = -1;
  if (colon != std::string::npos) {
    char* end = nullptr;
    port = std::strtol(address.c_str() + colon + 1, &end, 10);
    if (*end != '\0') port = -1;
  }
  if (port < 0 || port > kMaxPort)
    return fail(Code::kUsage, "'" + address + "' is not an address; write HOST:PORT, for example 127.0.0.1:5000.");
  options.port = static_cast<std::uint16_t>(port);
  options.host = address.substr(0, colon);
  if (options.host.size() > 2 && options.host.front() == '[' && options.host.back() == ']')
    options.host = options.host.substr(1, options.host.size() - 2);
  return {};
}

}  // namespace

int complain(const Error& error) {
  std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(error.code)).c_str(), error.sentence.c_str());
  return error.code == Code::kUsage ? kUsageExit : kFailedExit;
}

std::variant<ServeOptions, int> parse_serve_command(int argc, char** argv) {
  ServeOptions options;
  CLI::App app("millraced: keeps files in step with many clients and sends only what changed");
  app.require_subcommand(1);
  auto* const command = app.add_subcommand("serve", "serve a data folder");
  options.data = default_data_folder();
  std::string address = "127.0.0.1:5000";
  std::string durability = "full";
  command->add_option("--data", options.data, "data folder; files end up in DIR/files")->capture_default_str();
  command->add_option("--listen", address, "HOST:PORT; port 0 takes a free one")->capture_default_str();
  command
      ->add_option("--durability", durability,
                   "full: acknowledged means on disk; batch: on disk some seconds later; none: never flushed, for data "
                   "that can be made again")
      ->check(CLI::IsMember({"full", "batch", "none"}))
      ->capture_default_str();
  ServerLimits& limits = options.limits;
  limits.loops = default_loops(std::thread::hardware_concurrency());
  command->add_option("--loops", limits.loops, "threads that serve connections")
      ->check(CLI::Range(1U, kMaxLoops))
      ->capture_default_str();
  command
      ->add_option("--max-connections", limits.max_connections,
                   "clients at once; by default what the limit of descriptors allows")
      ->check(CLI::Range(std::size_t{1}, kMaxConnections));
  TlsChoice& tls = options.tls;
  std::string tls_mode = "auto";
  command->add_option("--tls", tls_mode, "auto: everywhere but on loopback; on; off")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  command->add_option("--certificate", tls.files.certificate, "PEM, the chain behind it; by default one of its own");
  command->add_option("--key", tls.files.key, "PEM");
  command->add_option("--client-ca", tls.files.client_ca,
                      "serve only clients with a certificate that these authorities signed");
  std::string confine = "auto";
  command
      ->add_option(
          "--confine", confine,
          "to the data folder (Landlock); auto: where the kernel can; on: else do not start; off: for profilers "
          "and other tools that write elsewhere from within the server")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  std::string signature_cache = "16MiB";
  command
      ->add_option("--signature-cache", signature_cache,
                   "memory for block hashes of content that is compared again and again; 0: none")
      ->capture_default_str();
  std::string memory = "256MiB";
  command->add_option("--memory-budget", memory, "for the buffers of all transfers together, at least 1MiB")
      ->capture_default_str();
  std::string min_rate = "1KiB";
  command
      ->add_option("--min-rate", min_rate,
                   "bytes a second that a client must move while memory is held for it; 0: no such rule")
      ->capture_default_str();
  constexpr std::uint64_t kDay = 24 * 3600;
  command->add_option("--min-rate-window", limits.peers.window_seconds, "seconds over which that is measured")
      ->check(CLI::Range(std::uint64_t{1}, kDay))
      ->capture_default_str();
  command
      ->add_option("--memory-wait", limits.peers.memory_wait_seconds,
                   "seconds that a transfer waits for memory before it is told that the server is busy")
      ->check(CLI::Range(std::uint64_t{1}, kDay))
      ->capture_default_str();
  command
      ->add_option("--idle-timeout", limits.peers.idle_seconds,
                   "seconds without a request after which a connection is ended; 0: never")
      ->check(CLI::Range(std::uint64_t{0}, 365 * kDay))
      ->capture_default_str();
  std::string cpu = "auto";
  command->add_option("--cpu", cpu, "auto, avx512, avx2 or plain: which code for processors to take")
      ->capture_default_str();
  std::uint64_t scan_interval = std::chrono::seconds(ScanLimits{}.interval).count();
  command
      ->add_option("--scan-interval", scan_interval,
                   "seconds between two looks at all files for what other programs changed; 0: none")
      ->check(CLI::Range(std::uint64_t{0}, kMaxScanInterval))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const Status chosen = choose_cpu_path(cpu); !chosen) return complain(chosen.error());
  const auto signature_bytes = parse_size(signature_cache);
  if (!signature_bytes) return complain(signature_bytes.error());
  const auto budget = parse_size(memory);
  if (!budget) return complain(budget.error());
  if (*budget < MemoryBudget::kLeast)
    return complain({Code::kUsage, "A memory budget of " + memory + " is too small; give at least 1MiB."});
  limits.memory_budget = *budget;
  const auto rate = parse_size(min_rate);
  if (!rate) return complain(rate.error());
  limits.peers.min_rate = *rate;
  options.signature_cache = *signature_bytes;
  options.scan_interval = std::chrono::seconds(scan_interval);
  options.durability = std::map<std::string, Durability>{
      {"full", Durability::kFull},
      {"batch", Durability::kBatch},
      {"none",
       Durability::kNone}}.at(durability);
  tls.mode =
      std::map<std::string, TlsChoice::Mode>{
          {"auto", TlsChoice::Mode::kAuto}, {"on", TlsChoice::Mode::kOn}, {"off", TlsChoice::Mode::kOff}}
          .at(tls_mode);
  options.confine =
      std::map<std::string, ConfineMode>{
          {"auto", ConfineMode::kAuto}, {"on", ConfineMode::kOn}, {"off", ConfineMode::kOff}}
          .at(confine);
  if (const Status taken = take_address(address, options); !taken) return complain(taken.error());
  if (const Status fitting = check(tls, options.host); !fitting) return complain(fitting.error());
  return options;
}

}  // namespace millrace
