#include "server/serve.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/address.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "net/allocator.h"
#include "server/accounts.h"
#include "server/memory_return.h"
#include "server/server.h"
#include "store/chores.h"
#include "store/scoped_store.h"

namespace millrace {

namespace {

constexpr std::chrono::seconds kAccountsInterval{1};
constexpr std::chrono::seconds kFirstScan{30};  ///< after the start, when clients have reconnected

void reload(ServerTls* tls) {
  const Status loaded = tls != nullptr ? tls->load() : Status();
  if (!loaded)
    std::fprintf(stderr, "warning: the certificates stay as they were: %s\n", loaded.error().sentence.c_str());
}

std::uint64_t seconds_since_1970() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

/// Says what is wrong when it begins, not each second.
std::chrono::nanoseconds look_at(Accounts& accounts) {
  static bool was_readable = true;  // one thread's
  const Status read = accounts.refresh();
  if (!read && was_readable) std::fprintf(stderr, "warning: %s\n", read.error().sentence.c_str());
  was_readable = static_cast<bool>(read);
  return kAccountsInterval;
}

/// Off loopback somebody must say who is served.
Status may_listen(const ServeOptions& options, const Accounts& accounts) {
  const bool decided = accounts.is_required() || options.allow_anonymous || !options.tls.files.client_ca.empty();
  if (decided || is_loopback(options.host)) return {};
  return fail(Code::kUsage,
              "There are no accounts, so everybody who reaches " + options.host +
                  " could read and write everything. Add one with `millraced account add NAME --data " + options.data +
                  "` and a token with `millraced token add NAME`; or serve everybody with --allow-anonymous.");
}

void warn_of_openness(const ServeOptions& options, const Accounts& accounts, bool is_encrypted) {
  if (is_loopback(options.host)) return;
  if (!accounts.is_required() && options.tls.files.client_ca.empty())
    std::fprintf(stderr,
                 "WARNING: --allow-anonymous: there are no accounts, and whoever reaches this port READS AND WRITES "
                 "EVERYTHING.\n");
  if (!is_encrypted)
    std::fprintf(stderr,
                 "warning: there is no encryption: whoever is in between reads and changes everything, tokens too.\n");
}

}  // namespace

int serve(const ServeOptions& options) {
  ServerLimits limits = options.limits;
  std::signal(SIGPIPE, SIG_IGN);
  keep_freed_memory();
  const std::size_t descriptors = raise_descriptor_limit();
  if (limits.max_connections == 0) limits.max_connections = connections_for(descriptors);
  auto store = open_directory_store(
      options.data, {options.durability, system_random(), make_sha256, nullptr,
                     [](const std::string& sentence) { std::fprintf(stderr, "warning: %s\n", sentence.c_str()); }});
  if (!store) return complain(store.error());
  const std::shared_ptr<LocalStore> owned = std::move(*store);
  const auto accounts = Accounts::open(options.data, seconds_since_1970);
  if (!accounts) return complain(accounts.error());
  if (const Status may = may_listen(options, **accounts); !may) return complain(may.error());
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
  chores.add([&accounts] { return look_at(**accounts); }, kAccountsInterval);
  chores.start();
  Loop loop;
  int result = 0;
  {
    ServerContext context{make_scoped_store(owned), {make_sha256, make_zstd_codec, system_random()}};
    context.signatures = std::make_shared<SignatureCache>(options.signature_cache);
    Server server(loop, std::move(context), *accounts, *tls, budget, limits);
    if (auto status = server.listen(options.host, options.port); !status) {
      result = complain(status.error());
    } else {
      warn_of_openness(options, **accounts, *tls != nullptr);
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
