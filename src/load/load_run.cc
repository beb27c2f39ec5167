#include "load/load_run.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <thread>

#include "load/load_parts.h"
#include "load/load_report.h"
#include "load/measurement.h"
#include "load/rate_search.h"
#include "load/slow_clients.h"
#include "load/thread_tools.h"

namespace millrace {

namespace {

constexpr std::size_t kMostConnecting = 200;
constexpr std::size_t kMostPreparing = 256;      ///< clients that seed, verify or delete at once
constexpr std::uint64_t kGateBytes = 64u << 20;  ///< of files that are hashed at once
constexpr int kSetupAttempts = 3;
constexpr std::uint32_t kWholeEvery = 16;          ///< of so many files one is verified byte by byte,
constexpr std::uint64_t kWholeBytes = 1ull << 30;  ///< but no more than so much
constexpr double kKeptUp = 0.9;                    ///< of an offered rate, else it did not hold whatever else did
constexpr std::chrono::milliseconds kProgressTick{1000};
constexpr std::chrono::milliseconds kExpiryTick{1000};

using Clock = std::chrono::steady_clock;
using Action = std::function<void(LoadClient&, std::uint32_t, OutcomeDone)>;
using Taken = std::function<void(std::uint32_t, const Outcome&)>;

class LoadRun {
 public:
  LoadRun(LoadPart part, Gathering& gathering)
      : options_(std::move(part.options)),
        gathering_(gathering),
        context_{loop_, options_, {thread_hasher, thread_codec, system_random()}, Gate(kGateBytes)},
        interrupt_(loop_, SIGINT, [this] { on_signal(SIGINT); }),
        terminate_(loop_, SIGTERM, [this] { on_signal(SIGTERM); }) {
    if (!options_.quiet && isatty(STDERR_FILENO) == 1)
      progress_ = std::make_unique<Timer>(loop_, kProgressTick, [this] { show_progress(); });
    clients_.reserve(options_.clients);
    for (std::uint32_t i = 0; i < options_.clients; ++i)
      clients_.push_back(std::make_shared<LoadClient>(context_, part.first_client + i));
  }

  Result<LoadOutcome> run() {
    const Leaving leaving(gathering_);
    if (options_.tls) {
      MILLRACE_ASSIGN(context_.tls, TlsContext::for_client({}));
    }
    const Status connected = connect();
    if (!connected) gathering_.give_up();
    gathering_.wait();
    MILLRACE_TRY(connected);
    if (gathering_.given_up()) return std::move(outcome_);
    seed();
    if (options_.slow_clients > 0 && outcome_.signal == 0) {
      auto slow = SlowClients::connect(loop_, options_.url.host, options_.url.port, options_.slow_clients,
                                       LoadClient::path_of(options_.seed, 0), options_.token);
      if (!slow) return fail(slow.error());  // the others go on without
      slow_ = std::move(*slow);
    }
    if (!options_.find_max.empty()) {
      find_max();
    } else {
      for (std::uint32_t i = 0; i < options_.repeat && outcome_.signal == 0; ++i) {
        gathering_.wait();
        measure(i);
      }
    }
    gathering_.wait();
    if (slow_) outcome_.slow_clients_left = slow_->connected();
    slow_.reset();
    if (options_.verify && outcome_.signal == 0) verify();
    if (options_.cleanup && outcome_.signal == 0) clean_up();
    phase_ = nullptr;
    outcome_.generator_peak_bytes = own_usage().peak_resident_bytes;
    end_line();
    return std::move(outcome_);
  }

 private:
  struct Leaving {
    explicit Leaving(Gathering& from) : gathering(from) {}
    ~Leaving() { gathering.leave(); }
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    Gathering& gathering;
  };

  void on_signal(int number) {
    outcome_.signal = number;
    if (measurement_) return measurement_->stop();
    loop_.stop();
  }

  /// Does `action` on `count` clients from `first` on, some at once, and returns when all have ended or a signal came.
  void each(const char* phase, std::size_t first, std::size_t count, std::size_t most_at_once, const Action& action,
            const Taken& taken) {
    phase_ = phase;
    phase_done_ = 0;
    phase_all_ = count;
    std::size_t next = first;
    std::size_t under_way = 0;
    const std::size_t end = first + count;
    std::function<void()> pump = [&] {
      while (next < end && under_way < most_at_once && outcome_.signal == 0) {
        const auto index = static_cast<std::uint32_t>(next++);
        ++under_way;
        action(*clients_[index], index, [&, index](const Outcome& outcome) {
          if (outcome_.signal != 0) return;  // the references are no more
          --under_way;
          ++phase_done_;
          taken(index, outcome);
          pump();
          if (under_way == 0 && next == end) loop_.stop();
        });
      }
    };
    const Timer expiry(
        loop_, kExpiryTick,
        [this] {
          for (const auto& client : clients_) client->expire(Clock::now());
        },
        KeepsLoop::kYes);
    pump();
    while (outcome_.signal == 0 && (under_way > 0 || next < end)) loop_.run();
  }

  /// As each, with further attempts for those that fail, within their turn; takes down what the last one failed with.
  void each_with_attempts(const char* phase, std::size_t first, std::size_t most_at_once, const Action& action) {
    const Action with_attempts = [&](LoadClient& client, std::uint32_t index, const OutcomeDone& done) {
      again(client, index, action, done, kSetupAttempts);
    };
    each(phase, first, clients_.size() - first, most_at_once, with_attempts,
         [this](std::uint32_t, const Outcome& outcome) {
           if (outcome) return;
           ++outcome_.setup.errors[std::string(code_name(outcome.error().code))];
           if (outcome_.setup.first_error.empty()) outcome_.setup.first_error = outcome.error().sentence;
         });
  }

  void again(LoadClient& client, std::uint32_t index, const Action& action, const OutcomeDone& done, int attempts) {
    action(client, index, [this, &client, index, &action, done, attempts](const Outcome& outcome) {
      if (outcome_.signal != 0) return;
      if (!outcome && attempts > 1) return again(client, index, action, done, attempts - 1);
      done(outcome);
    });
  }

  Status connect() {
    const auto began = Clock::now();
    Outcome first = 0;
    const Action action = [](LoadClient& client, std::uint32_t, OutcomeDone done) { client.connect(std::move(done)); };
    each("connecting", 0, 1, 1, action, [&first](std::uint32_t, const Outcome& outcome) { first = outcome; });
    if (!first) return fail(first.error());
    each_with_attempts("connecting", 1, kMostConnecting, action);
    outcome_.setup.connect_seconds = Seconds(Clock::now() - began).count();
    return {};
  }

  void seed() {
    if (options_.operation == Operation::kIdle || outcome_.signal != 0) return;
    const auto began = Clock::now();
    each_with_attempts("putting files in place", 0, kMostPreparing,
                       [](LoadClient& client, std::uint32_t, OutcomeDone done) { client.seed(std::move(done)); });
    outcome_.setup.seed_seconds = Seconds(Clock::now() - began).count();
  }

  void measure(std::uint32_t run) {
    phase_ = "measuring";
    phase_done_ = 0;
    phase_all_ = options_.transfers.value_or(0);
    measurement_ = std::make_unique<Measurement>(context_, clients_, run);
    bool over = false;
    measurement_->start([this, &over] {
      over = true;
      loop_.stop();
    });
    while (!over) loop_.run();
    outcome_.runs.push_back(std::move(measurement_->tally()));
    measurement_.reset();
  }

  void find_max() {
    RateSearch search(options_.rate);
    std::optional<RunTally> kept;
    for (std::uint32_t i = 0; !search.over() && outcome_.signal == 0; ++i) {
      options_.rate = search.rate();
      measure(i);
      const RunTally run = std::move(outcome_.runs.back());
      outcome_.runs.clear();
      RateProbe probe = probe_of(run);
      probe.held = outcome_.signal == 0 && probe.achieved >= kKeptUp * probe.rate && reaches(run, options_.find_max);
      const bool held = probe.held;
      outcome_.probes.push_back(probe);
      if (progress_) report_probe(outcome_.probes.back());
      if (held || !search.best()) kept = run;
      search.take(held);
    }
    if (kept) outcome_.runs.push_back(std::move(*kept));
  }

  RateProbe probe_of(const RunTally& run) const {
    Histogram latency;
    std::uint64_t transfers = 0;
    for (const auto& [operation, tally] : run.operations) {
      latency.merge(tally.latency);
      transfers += tally.transfers;
    }
    RateProbe probe{options_.rate, run.seconds > 0 ? static_cast<double>(transfers) / run.seconds : 0, {}, false};
    if (const auto p99 = latency.carried_value_at(0.99)) probe.p99_seconds = static_cast<double>(*p99) * 1e-6;
    return probe;
  }

  static void report_probe(const RateProbe& probe) {
    std::fprintf(stderr, "\r\033[K%.1f a second: %s\n", probe.rate, probe.held ? "holds" : "too much");
  }

  void verify() {
    const auto began = Clock::now();
    VerifyTally tally;
    std::uint64_t whole_bytes = 0;
    const Action action = [&](LoadClient& client, std::uint32_t index, OutcomeDone done) {
      if (!client.owns_file()) return client.connect(std::move(done));
      ++tally.checked;
      const bool whole = index % kWholeEvery == 0 && whole_bytes + client.file_bytes() <= kWholeBytes;
      if (whole) {
        whole_bytes += client.file_bytes();
        ++tally.downloaded;
      }
      client.verify(whole ? LoadClient::Depth::kContent : LoadClient::Depth::kRoot, std::move(done));
    };
    each("verifying", 0, clients_.size(), kMostPreparing, action, [&tally](std::uint32_t, const Outcome& outcome) {
      if (outcome) return;
      if (outcome.error().code == Code::kIntegrity) {
        if (tally.lost++ == 0) tally.first_lost = outcome.error().sentence;
        return;
      }
      ++tally.errors[std::string(code_name(outcome.error().code))];
    });
    tally.seconds = Seconds(Clock::now() - began).count();
    if (outcome_.signal == 0) outcome_.verify = std::move(tally);
  }

  void clean_up() {
    each(
        "deleting", 0, clients_.size(), kMostPreparing,
        [](LoadClient& client, std::uint32_t, OutcomeDone done) {
          if (!client.owns_file()) return client.connect(std::move(done));
          client.remove(std::move(done));
        },
        [this](std::uint32_t, const Outcome& outcome) {
          if (!outcome) ++outcome_.cleanup_errors[std::string(code_name(outcome.error().code))];
        });
  }

  void show_progress() {
    if (phase_ == nullptr) return;
    const std::uint64_t done = measurement_ ? measurement_->done_count() : phase_done_;
    std::fprintf(stderr, "\r\033[K%s %llu", phase_, static_cast<unsigned long long>(done));
    if (phase_all_ > 0) std::fprintf(stderr, "/%llu", static_cast<unsigned long long>(phase_all_));
    std::fflush(stderr);
  }

  void end_line() {
    if (progress_) std::fprintf(stderr, "\r\033[K");
    progress_.reset();
  }

  LoadOptions options_;  ///< its rate changes while the highest is looked for
  Gathering& gathering_;
  Loop loop_;
  LoadContext context_;
  SignalWatch interrupt_;
  SignalWatch terminate_;
  Measurement::Clients clients_;
  std::unique_ptr<Measurement> measurement_;
  std::unique_ptr<SlowClients> slow_;
  std::unique_ptr<Timer> progress_;
  LoadOutcome outcome_;
  const char* phase_ = nullptr;
  std::uint64_t phase_done_ = 0;
  std::uint64_t phase_all_ = 0;
};

}  // namespace

Result<LoadOutcome> run_load(const LoadOptions& options) {
  MILLRACE_TRY(prepare_for_connections(std::uint64_t{options.clients} + options.slow_clients));
  Gathering gathering(options.loops);
  std::vector<Result<LoadOutcome>> results(options.loops, LoadOutcome{});
  const auto run_part = [&](std::uint32_t number) {
    results[number] = LoadRun(part_of(options, number), gathering).run();
  };
  std::vector<std::thread> others;
  for (std::uint32_t number = 1; number < options.loops; ++number) others.emplace_back(run_part, number);
  run_part(0);
  for (std::thread& other : others) other.join();
  std::vector<LoadOutcome> outcomes;
  for (Result<LoadOutcome>& result : results) {
    MILLRACE_ASSIGN(LoadOutcome outcome, std::move(result));
    outcomes.push_back(std::move(outcome));
  }
  return together(outcomes);
}

}  // namespace millrace
