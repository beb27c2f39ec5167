#include "server/serve.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/address.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "net/allocator.h"
#include "server/confinement.h"
#include "server/memory_return.h"
#include "server/server.h"
#include "store/chores.h"
#include "store/disk.h"

namespace millrace {

namespace {

constexpr std::chrono::seconds kFirstScan{30};  ///< after the start, when clients have reconnected

void reload(ServerTls* tls) {
  const Status loaded = tls != nullptr ? tls->load() : Status();
  if (!loaded)
    std::fprintf(stderr, "warning: the certificates stay as they were: %s\n", loaded.error().sentence.c_str());
}

/// Before any thread begins.
Status confine_to_data(const ServeOptions& options) {
  MILLRACE_TRY(make_data_folder(options.data));
  if (options.confine == ConfineMode::kOff) return {};
  const TlsContext::ServerFiles& files = options.tls.files;
  MILLRACE_ASSIGN(const Confined confined,
                  confine(confinement_of(options.data, {files.certificate, files.key, files.client_ca})));
  if (confined == Confined::kYes) return {};
  if (options.confine == ConfineMode::kOn)
    return fail(
        Code::kUsage,
        "This kernel cannot confine the server to its data folder (Landlock, since 5.19), and --confine on asks "
        "for it.");
  std::fprintf(stderr, "warning: this kernel cannot confine the server to its data folder (Landlock, since 5.19).\n");
  return {};
}

}  // namespace

int serve(const ServeOptions& options) {
  ServerLimits limits = options.limits;
  std::signal(SIGPIPE, SIG_IGN);
  keep_freed_memory();
  const std::size_t descriptors = raise_descriptor_limit();
  if (limits.max_connections == 0) limits.max_connections = connections_for(descriptors);
  if (const Status confined = confine_to_data(options); !confined) return complain(confined.error());
  auto store = open_directory_store(
      options.data, {options.durability, system_random(), make_sha256, nullptr,
                     [](const std::string& sentence) { std::fprintf(stderr, "warning: %s\n", sentence.c_str()); }});
  if (!store) return complain(store.error());
  const std::shared_ptr<LocalStore> owned = std::move(*store);
  auto tls = open_server_tls(options.tls, options.host, options.data);
  if (!tls) return complain(tls.error());
  ScanLimits scan_limits;
  scan_limits.interval = options.scan_interval;
  BackgroundScan scan = owned->scan(scan_limits);
  const auto budget = std::make_shared<MemoryBudget>(limits.memory_budget);
  MemoryReturn memory_return(budget, return_freed_memory);
  Chores chores;  // behind what its steps use
  if (options.scan_interval.count() > 0)
    chores.add([&scan] { return scan.step(); }, std::min(kFirstScan, options.scan_interval));
  chores.add([&owned] { return owned->sweep_partials(); }, std::chrono::minutes(1));
  chores.add([&memory_return] { return memory_return.step(); }, std::chrono::seconds(1));
  chores.start();
  Loop loop;
  int result = 0;
  {
    ServerContext context{owned, {make_sha256, make_zstd_codec, system_random()}};
    context.signatures = std::make_shared<SignatureCache>(options.signature_cache);
    Server server(loop, std::move(context), *tls, budget, limits);
    if (auto status = server.listen(options.host, options.port); !status) {
      result = complain(status.error());
    } else {
      if (!is_loopback(options.host)) {
        std::fprintf(stderr,
                     "warning: there is no login yet: whoever reaches this port reads and writes everything%s.\n",
                     *tls ? "" : ", and there is no encryption: whoever is in between does too");
      }
      const auto end = [&] { server.stop(); };
      const SignalWatch terminate(loop, SIGTERM, end);
      const SignalWatch interrupt(loop, SIGINT, end);
      const SignalWatch hang_up(loop, SIGHUP, [&] { reload(tls->get()); });
      const SignalWatch tell(loop, SIGUSR1, [&] {
        std::printf("millraced: %s\n", server.summary().c_str());
        std::fflush(stdout);
      });
      std::printf("millraced: files in %s/files, listening on %s:%d\n", options.data.c_str(), options.host.c_str(),
                  server.port());
      if (*tls) std::printf("millraced: TLS 1.3, the server's key is %s\n", (*tls)->fingerprint().c_str());
      std::fflush(stdout);
      loop.run();
    }
  }
  return result;
}

}  // namespace millrace
