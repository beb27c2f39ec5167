// millraced: the server.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/cpu.h"
#include "base/units.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "net/allocator.h"
#include "net/certificate.h"
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

/// How the command line asks for TLS.
struct TlsWords {
  std::string mode = "auto";
  TlsContext::ServerFiles files;
};

bool is_loopback(const std::string& host) {
  return host == "::1" || host == "localhost" || host.starts_with("127.");
}

/// Null: plain. Without files of the operator's a certificate is made in the data folder, once.
Result<std::shared_ptr<ServerTls>> open_tls(TlsWords words, const std::string& host, const std::string& data) {
  const bool plain = words.mode == "off" || (words.mode == "auto" && is_loopback(host));
  TlsContext::ServerFiles& files = words.files;
  if (files.certificate.empty() != files.key.empty()) return fail(Code::kUsage, "--certificate and --key go together.");
  if (plain) {
    if (!files.certificate.empty() || !files.client_ca.empty())
      return fail(Code::kUsage, "Without TLS no certificate is used; add --tls on, or leave them out.");
    return nullptr;
  }
  if (files.certificate.empty()) {
    const std::string folder = data + "/tls";
    if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST)
      return fail(system_error(errno, "The folder '" + folder + "' cannot be made"));
    files.certificate = folder + "/certificate.pem";
    files.key = folder + "/key.pem";
    char name[HOST_NAME_MAX + 1] = "millraced";
    ::gethostname(name, sizeof name - 1);
    MILLRACE_TRY(ensure_certificate(files.certificate, files.key, name));
  }
  auto tls = std::make_shared<ServerTls>(files);
  MILLRACE_TRY(tls->load());
  return tls;
}

void reload(ServerTls* tls) {
  const Status loaded = tls != nullptr ? tls->load() : Status();
  if (!loaded)
    std::fprintf(stderr, "warning: the certificates stay as they were: %s\n", loaded.error().sentence.c_str());
}

int serve(const std::string& data, const std::string& address, Durability durability, ServerLimits limits,
          const TlsWords& tls_words, std::size_t signature_cache, std::chrono::seconds scan_interval) {
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
  setenv("UV_THREADPOOL_SIZE", "4", 0);
  auto store = open_directory_store(
      data, {durability, system_random(), make_sha256, nullptr,
             [](const std::string& sentence) { std::fprintf(stderr, "warning: %s\n", sentence.c_str()); }});
  if (!store) return complain(store.error());
  const std::shared_ptr<LocalStore> owned = std::move(*store);
  auto tls = open_tls(tls_words, host, data);
  if (!tls) return complain(tls.error());
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
    ServerContext context{owned, {make_sha256, make_zstd_codec, system_random()}};
    context.signatures = std::make_shared<SignatureCache>(signature_cache);
    Server server(loop, std::move(context), *tls, limits);
    if (auto status = server.listen(host, static_cast<std::uint16_t>(port)); !status) {
      result = complain(status.error());
    } else {
      if (!is_loopback(host)) {
        std::fprintf(stderr,
                     "warning: there is no login yet: whoever reaches this port reads and writes everything%s.\n",
                     *tls ? "" : ", and there is no encryption: whoever is in between does too");
      }
      const auto end = [&] { server.stop(); };
      const SignalWatch terminate(loop, SIGTERM, end);
      const SignalWatch interrupt(loop, SIGINT, end);
      const SignalWatch hang_up(loop, SIGHUP, [&] { reload(tls->get()); });
      std::printf("millraced: files in %s/files, listening on %s:%d\n", data.c_str(), host.c_str(), server.port());
      if (*tls) std::printf("millraced: TLS 1.3, the server's key is %s\n", (*tls)->fingerprint().c_str());
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
  command->add_option("--loops", limits.loops, "threads that serve connections")
      ->check(CLI::Range(1U, kMaxLoops))
      ->capture_default_str();
  command
      ->add_option("--max-connections", limits.max_connections,
                   "clients at once; by default what the limit of descriptors allows")
      ->check(CLI::Range(std::size_t{1}, kMaxConnections));
  TlsWords tls;
  command->add_option("--tls", tls.mode, "auto: everywhere but on loopback; on; off")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  command->add_option("--certificate", tls.files.certificate, "PEM, the chain behind it; by default one of its own");
  command->add_option("--key", tls.files.key, "PEM");
  command->add_option("--client-ca", tls.files.client_ca,
                      "serve only clients with a certificate that these authorities signed");
  std::string signature_cache = "16MiB";
  command
      ->add_option("--signature-cache", signature_cache,
                   "memory for block hashes of content that is compared again and again; 0: none")
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
  const std::map<std::string, Durability> durabilities{
      {"full", Durability::kFull}, {"batch", Durability::kBatch}, {"none", Durability::kNone}};
  return serve(data, address, durabilities.at(durability), limits, tls, *signature_bytes,
               std::chrono::seconds(scan_interval));
}
