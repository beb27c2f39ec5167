// millraced: the server.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

#include "base/cpu.h"
#include "base/memory_budget.h"
#include "base/units.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "net/allocator.h"
#include "server/server.h"
#include "store/chores.h"
#include "store/directory_store.h"

namespace {

using namespace millrace;

int complain(const Error& error) {
  std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(error.code)).c_str(), error.sentence.c_str());
  return error.code == Code::kUsage ? 2 : 1;
}

std::string default_data_folder() {
  if (const char* state = std::getenv("XDG_STATE_HOME")) return std::string(state) + "/millraced";
  if (const char* home = std::getenv("HOME"); home != nullptr && geteuid() != 0)
    return std::string(home) + "/.local/state/millraced";
  return "/var/lib/millrace";
}

constexpr std::uint64_t kMaxScanInterval = 366ull * 24 * 3600;
constexpr std::chrono::seconds kFirstScan{30};  ///< after the start, when clients have reconnected

int serve(const std::string& data, const std::string& address, Durability durability, ServerLimits limits,
          std::chrono::seconds scan_interval) {
  const auto colon = address.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    char* end = nullptr;
    port = static_cast<int>(std::strtol(address.c_str() + colon + 1, &end, 10));
    if (*end != '\0') port = -1;
  }
  if (port < 0 || port > 65535)
    return complain(
        {Code::kUsage, "'" + address + "' is not an address; write HOST:PORT, for example 127.0.0.1:5000."});
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);

  std::signal(SIGPIPE, SIG_IGN);
  keep_freed_memory();
  const std::size_t descriptors = raise_descriptor_limit();
  if (limits.max_connections == 0) limits.max_connections = connections_for(descriptors);
  auto store = open_directory_store(
      data, {durability, system_random(), make_sha256, nullptr,
             [](const std::string& sentence) { std::fprintf(stderr, "warning: %s\n", sentence.c_str()); }});
  if (!store) return complain(store.error());
  const std::shared_ptr<LocalStore> owned = std::move(*store);
  ScanLimits scan_limits;
  scan_limits.interval = scan_interval;
  BackgroundScan scan = owned->scan(scan_limits);
  Chores chores;
  if (scan_interval.count() > 0) chores.add([&scan] { return scan.step(); }, std::min(kFirstScan, scan_interval));
  chores.add([&owned] { return owned->sweep_partials(); }, std::chrono::minutes(1));
  chores.start();
  Loop loop;
  int result = 0;
  {
    Server server(loop, {owned, {make_sha256, make_zstd_codec, system_random()}, 9}, limits);
    if (auto status = server.listen(host, static_cast<std::uint16_t>(port)); !status) {
      result = complain(status.error());
    } else {
      if (host != "127.0.0.1" && host != "::1" && host != "localhost") {
        std::fprintf(stderr,
                     "warning: there is no encryption and no login yet: whoever reaches this port reads and writes "
                     "everything.\n");
      }
      const auto end = [&] { server.stop(); };
      const SignalWatch terminate(loop, SIGTERM, end);
      const SignalWatch interrupt(loop, SIGINT, end);
      const SignalWatch tell(loop, SIGUSR1, [&] {
        std::printf("millraced: %s\n", server.summary().c_str());
        std::fflush(stdout);
      });
      std::printf("millraced: files in %s/files, listening on %s:%d\n", data.c_str(), host.c_str(), server.port());
      std::fflush(stdout);
      loop.run();
    }
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("millraced: keeps files in step with many clients and sends only what changed");
  app.require_subcommand(1);
  auto* const command = app.add_subcommand("serve", "serve a data folder");
  std::string data = default_data_folder();
  std::string address = "127.0.0.1:5000";
  std::string durability = "full";
  command->add_option("--data", data, "data folder; files end up in DIR/files")->capture_default_str();
  command->add_option("--listen", address, "HOST:PORT; port 0 takes a free one")->capture_default_str();
  command
      ->add_option("--durability", durability,
                   "full: acknowledged means on disk; batch: on disk some seconds later; none: never flushed, for data "
                   "that can be made again")
      ->check(CLI::IsMember({"full", "batch", "none"}))
      ->capture_default_str();
  ServerLimits limits;
  limits.loops = default_loops(std::thread::hardware_concurrency());
  command->add_option("--loops", limits.loops, "threads that serve connections")
      ->check(CLI::Range(1U, kMaxLoops))
      ->capture_default_str();
  command
      ->add_option("--max-connections", limits.max_connections,
                   "clients at once; by default what the limit of descriptors allows")
      ->check(CLI::Range(std::size_t{1}, kMaxConnections));
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
  const auto budget = parse_size(memory);
  if (!budget) return complain(budget.error());
  if (*budget < MemoryBudget::kLeast)
    return complain({Code::kUsage, "A memory budget of " + memory + " is too small; give at least 1MiB."});
  limits.memory_budget = *budget;
  const auto rate = parse_size(min_rate);
  if (!rate) return complain(rate.error());
  limits.peers.min_rate = *rate;
  const std::map<std::string, Durability> durabilities{
      {"full", Durability::kFull}, {"batch", Durability::kBatch}, {"none", Durability::kNone}};
  return serve(data, address, durabilities.at(durability), limits, std::chrono::seconds(scan_interval));
}
