#include "server/serve.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/address.h"
#include "base/counted_hasher.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "monitor/wall_clock.h"
#include "net/allocator.h"
#include "net/openssl.h"
#include "server/accounts.h"
#include "server/confinement.h"
#include "server/memory_return.h"
#include "server/reload.h"
#include "server/server.h"
#include "server/service_manager.h"
#include "store/chores.h"
#include "store/disk.h"
#include "store/scoped_store.h"

namespace millrace {

namespace {

constexpr std::uint16_t kDefaultHttpPort = 8000;
constexpr std::chrono::seconds kAccountsInterval{1};
constexpr std::chrono::seconds kFiguresInterval{1};
constexpr std::chrono::seconds kFirstScan{30};  ///< after the start, when clients have reconnected
constexpr std::chrono::seconds kFirstScrub{600};
constexpr std::chrono::milliseconds kWatchdogAtLeast{100};

/// Before any thread begins.
Status confine_to_data(const ServeOptions& options, Log& log) {
  MILLRACE_TRY(make_data_folder(options.data));
  if (options.confine == ConfineMode::kOff) return {};
  const TlsContext::ServerFiles& files = options.tls.files;
  Confinement needed =
      confinement_of(options.data, {files.certificate, files.key, files.client_ca, options.sources.file});
  // It is opened anew on SIGHUP.
  if (!options.audit_log.empty()) needed.writable.push_back(std::filesystem::absolute(options.audit_log).parent_path());
  MILLRACE_ASSIGN(const Confined confined, confine(needed));
  if (confined == Confined::kYes) return {};
  if (options.confine == ConfineMode::kOn)
    return fail(
        Code::kUsage,
        "This kernel cannot confine the server to its data folder (Landlock, since 5.19), and --confine on asks "
        "for it.");
  log.warn("this kernel cannot confine the server to its data folder (Landlock, since 5.19).");
  return {};
}

std::uint64_t seconds_since_1970() {
  return static_cast<std::uint64_t>(wall_clock_ms() / 1000);
}

/// Says what is wrong when it begins, not each second.
std::chrono::nanoseconds look_at(Accounts& accounts, Log& log) {
  static bool was_readable = true;  // one thread's
  const Status read = accounts.refresh();
  if (!read && was_readable) log.warn(read.error().sentence);
  was_readable = static_cast<bool>(read);
  return kAccountsInterval;
}

/// Off loopback somebody must say who is served.
Status may_listen(const std::string& host, const ServeOptions& options, const Accounts& accounts) {
  const bool decided = accounts.is_required() || options.allow_anonymous || !options.tls.files.client_ca.empty();
  if (decided || is_loopback(host)) return {};
  return fail(Code::kUsage,
              "There are no accounts, so everybody who reaches " + host +
                  " could read and write everything. Add one with `millraced account add NAME --data " + options.data +
                  "` and a token with `millraced token add NAME`; or serve everybody with --allow-anonymous.");
}

void warn_of_openness(const ServeOptions& options, const Accounts& accounts, bool is_encrypted, Log& log) {
  if (is_loopback(options.host)) return;
  if (!accounts.is_required() && options.tls.files.client_ca.empty())
    log.warn(
        "--allow-anonymous: there are no accounts, and whoever reaches this port READS AND WRITES "
        "EVERYTHING.");
  if (!is_encrypted)
    log.warn("there is no encryption: whoever is in between reads and changes everything, tokens too.");
}

/// Where HTTP is served; empty: nowhere.
std::string http_host(const ServeOptions& options) {
  switch (options.http.mode) {
    case HttpChoice::Mode::kOff:
      return {};
    case HttpChoice::Mode::kAuto:
      return options.host;
    case HttpChoice::Mode::kAddress:
      break;
  }
  return options.http.host;
}

/// A port that nobody asked for by name is no reason not to serve.
Status listen_http(Server& server, const ServeOptions& options, Log& log) {
  const std::string host = http_host(options);
  if (host.empty()) return {};
  if (options.http.mode == HttpChoice::Mode::kAddress) return server.listen_http(host, options.http.port);
  const Status listens = server.listen_http(host, kDefaultHttpPort);
  if (!listens)
    log.warn("there are no pages, no API and no metrics: " + listens.error().sentence +
             " Choose another port with --http HOST:PORT, or --http off.");
  return {};
}

/// Both listeners show the same one.
void warn_of_dates(const std::vector<std::shared_ptr<ServerTls>>& tls, Log& log) {
  if (tls.empty()) return;
  if (const std::string warning = tls.front()->warning(); !warning.empty()) log.warn(warning);
}

/// A server that listens, and what signals and the service manager have it do.
class Service {
 public:
  Service(Loop& loop, Server& server, std::vector<std::shared_ptr<ServerTls>> tls, const ServeOptions& options,
          const ServiceManager& manager, const Journal& journal)
      : loop_(loop),
        server_(server),
        tls_(std::move(tls)),
        reload_(options),
        manager_(manager),
        log_(*journal.log),
        audit_(journal.audit) {}

  void run() {
    const SignalWatch terminate(loop_, SIGTERM, [this] { end(); });
    const SignalWatch interrupt(loop_, SIGINT, [this] { end(); });
    const SignalWatch hang_up(loop_, SIGHUP, [this] { reload(); });
    const SignalWatch tell(loop_, SIGUSR1, [this] {
      std::printf("millraced: %s\n", server_.summary().c_str());
      std::fflush(stdout);
    });
    std::unique_ptr<Timer> watchdog;
    if (const auto most = manager_.watchdog()) {
      watchdog = std::make_unique<Timer>(loop_, std::max(*most / 2, kWatchdogAtLeast), [this] {
        if (server_.turns()) manager_.tell("WATCHDOG=1");
      });
    }
    say_ready();
    loop_.run();
  }

 private:
  void say_ready() {
    const std::string& data = reload_.options().data;
    std::printf("millraced: files in %s/files, listening on %s:%d\n", data.c_str(), reload_.options().host.c_str(),
                server_.port());
    if (!tls_.empty()) std::printf("millraced: TLS 1.3, the server's key is %s\n", tls_.front()->fingerprint().c_str());
    if (server_.http_port() != 0) std::printf("millraced: dashboard at %s\n", server_.http_url().c_str());
    std::fflush(stdout);
    manager_.tell("READY=1\nSTATUS=" + listening());
  }

  std::string listening() const {
    return "Listening on " + reload_.options().host + ":" + std::to_string(server_.port());
  }

  /// The first time what is under way may end, the second time nothing is waited for.
  void end() {
    const std::chrono::seconds patience = reload_.options().drain_timeout;
    if (server_.is_draining() || patience.count() == 0) return server_.stop();
    manager_.tell("STOPPING=1\nSTATUS=Draining: what is under way may end for " + std::to_string(patience.count()) +
                  " seconds");
    server_.drain(patience);
  }

  void reload() {
    manager_.tell_reloading();
    for (const auto& tls : tls_) {
      const Status loaded = tls->load();
      if (!loaded) log_.warn("the certificates stay as they were: " + loaded.error().sentence);
    }
    warn_of_dates(tls_, log_);
    const Reload::Outcome outcome = reload_.read_again();
    for (const std::string& problem : outcome.problems) log_.warn("the configuration stays as it was: " + problem);
    for (const std::string& setting : outcome.needs_restart)
      log_.warn(setting + " has changed; it counts after a restart");
    const Status reopened = audit_ != nullptr ? audit_->reopen() : Status();
    if (!reopened) log_.warn(reopened.error().sentence);
    log_.change(reload_.options().log);
    server_.set_rules(reload_.options().limits.peers);
    manager_.tell("READY=1\nSTATUS=" + listening());
  }

  Loop& loop_;
  Server& server_;
  const std::vector<std::shared_ptr<ServerTls>> tls_;
  Reload reload_;
  const ServiceManager& manager_;
  Log& log_;
  AuditLog* const audit_;
};

}  // namespace

int serve(const ServeOptions& given, std::string revision) {
  ServeOptions options = given;
  ServerLimits& limits = options.limits;
  std::signal(SIGPIPE, SIG_IGN);
  keep_freed_memory();
  ServiceManager manager;
  auto handed_over = manager.take_listening_socket();
  if (!handed_over) return complain(handed_over.error());
  if (handed_over->is_open()) options.host = handed_over->host();
  Log log(options.log);
  ProblemList problems;
  log.set_on_problem(
      [&problems](LogLevel level, const std::string& text) { problems.add(level, text, wall_clock_ms()); });
  ProcessWatch process;
  std::unique_ptr<AuditLog> audit;
  if (!options.audit_log.empty()) {
    auto opened = AuditLog::open(options.audit_log);
    if (!opened) return complain(opened.error());
    audit = std::move(*opened);
    audit->set_on_failure([&log](const std::string& sentence) { log.warn(sentence); });
  }
  const Journal journal{&log, audit.get()};
  const std::size_t descriptors = raise_descriptor_limit();
  if (limits.max_connections == 0) limits.max_connections = connections_for(descriptors);
  // The server has libcrypto from its start; libssl comes with it, since one that came after the system's update might
  // not fit. What is missing is said before anything is served, too, and Landlock need not let it be read.
  if (const Status loaded = load_openssl(); !loaded) return complain(loaded.error());
  if (const Status confined = confine_to_data(options, log); !confined) return complain(confined.error());
  HashCounts hashed;
  StoreOptions store_options{options.durability, system_random(), counted(make_sha256, hashed.store), nullptr,
                             [&log](const std::string& sentence) { log.warn(sentence); }};
  store_options.scrub_hasher = counted(make_sha256, hashed.scrub);
  store_options.trash = {options.trash_keep, options.trash_percent};
  auto store = open_directory_store(options.data, std::move(store_options));
  if (!store) return complain(store.error());
  const std::shared_ptr<LocalStore> owned = std::move(*store);
  const auto accounts = Accounts::open(options.data, seconds_since_1970);
  if (!accounts) return complain(accounts.error());
  for (const std::string& host : {options.host, http_host(options)}) {
    if (host.empty()) continue;
    if (const Status may = may_listen(host, options, **accounts); !may) return complain(may.error());
  }
  auto tls = open_server_tls(options.tls, options.host, options.data);
  if (!tls) return complain(tls.error());
  Result<std::shared_ptr<ServerTls>> http_tls = nullptr;
  if (const std::string host = http_host(options); !host.empty())
    http_tls = open_server_tls(options.tls, host, options.data);
  if (!http_tls) return complain(http_tls.error());
  ScanLimits scan_limits;
  scan_limits.interval = options.scan_interval;
  BackgroundScan scan = owned->scan(scan_limits);
  Scrub scrub = owned->scrub(options.scrub, [&log](const std::string& sentence) { log.warn(sentence); });
  const auto budget = std::make_shared<MemoryBudget>(limits.memory_budget);
  MemoryReturn memory_return(budget, return_freed_memory);
  std::optional<Chores> chores(std::in_place);
  if (options.scan_interval.count() > 0)
    chores->add([&scan] { return scan.step(); }, std::min(kFirstScan, options.scan_interval));
  if (options.scrub.interval.count() > 0)
    chores->add([&scrub] { return scrub.step(); }, std::min(kFirstScrub, options.scrub.interval));
  chores->add([&owned] { return owned->sweep_partials(); }, std::chrono::minutes(1));
  chores->add([&owned] { return owned->sweep_chunk_lists(); }, std::chrono::minutes(1));
  chores->add(
      [&owned] {
        owned->sweep_trash();
        return std::chrono::seconds(1);
      },
      std::chrono::seconds(1));
  chores->add([&memory_return] { return memory_return.step(); }, std::chrono::seconds(1));
  chores->add([&accounts, &log] { return look_at(**accounts, log); }, kAccountsInterval);
  HistoryKeeper history_keeper(*owned, [&log](const std::string& sentence) { log.warn(sentence); });
  Loop loop;
  ServerContext context{make_scoped_store(owned),
                        {counted(make_sha256, hashed.transfers), make_zstd_codec, system_random()}};
  context.signatures = std::make_shared<SignatureCache>(options.signature_cache);
  context.copy_ahead = options.copy_ahead;
  Server server(loop, {std::move(context), *owned, *accounts, *tls, *http_tls, http_host(options), budget, limits,
                       journal, problems, history_keeper, process, make_sha256, hashed, std::move(revision)});
  server.set_store_figures(owned->figures());
  chores->add(
      [&owned, &server, &history_keeper, &scrub] {
        StoreFigures figures = owned->figures();
        figures.scrub_damaged = scrub.damaged_in_all();  // of this thread
        server.set_store_figures(std::move(figures));
        history_keeper.save();
        return kFiguresInterval;
      },
      kFiguresInterval);
  const Status listens =
      handed_over->is_open() ? server.listen_on(std::move(*handed_over)) : server.listen(options.host, options.port);
  if (!listens) return complain(listens.error());
  if (const Status http = listen_http(server, options, log); !http) return complain(http.error());
  warn_of_openness(options, **accounts, *tls != nullptr, log);
  chores->start();
  std::vector<std::shared_ptr<ServerTls>> certificates;
  for (const auto& one : {*tls, *http_tls})
    if (one) certificates.push_back(one);
  warn_of_dates(certificates, log);
  Service(loop, server, std::move(certificates), options, manager, journal).run();
  chores.reset();  // its steps use what goes next
  history_keeper.save(true);
  return 0;
}

}  // namespace millrace
