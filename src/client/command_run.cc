#include "client/command_run.h"

#include <algorithm>
#include <numeric>

#include "base/path.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "net/loop.h"

namespace millrace {

namespace {

constexpr std::size_t kMostInFlight = 512;
constexpr std::uint64_t kMostBytesInFlight = 32u << 20;  ///< of content; a file counts with at most kFullCost
constexpr std::uint64_t kFullCost = 16u << 20;
constexpr int kSignalExit = 128;

class Pipeline {
 public:
  Pipeline(CommandRun& run, ItemFeed& feed) : run_(run), feed_(feed) {
    feed_.on_ready = [this] {
      pump();
      run_.connection.wake();
    };
  }

  void run() {
    do {
      pump();
      run_.connection.wait_until([this] { return is_over() || may_renew(); });
    } while (!is_over() && run_.connection.may_renew() && run_.connection.renew());
    if (run_.connection.lost()) feed_.leave_behind(*run_.connection.lost());
  }

 private:
  bool is_over() const { return in_flight_ == 0 && feed_.exhausted(); }
  bool may_renew() const { return run_.connection.may_renew() && run_.connection.mux().open_streams() == 0; }
  bool has_room(std::uint64_t cost) const {
    if (in_flight_ == 0) return true;
    Mux& mux = run_.connection.mux();
    return in_flight_ < kMostInFlight && mux.open_streams() < mux.peer().max_streams &&
           bytes_in_flight_ + cost <= kMostBytesInFlight;
  }

  void pump() {
    // An item may be over before its start returns.
    if (pumping_) return;
    pumping_ = true;
    while (!run_.connection.lost() && !run_.connection.leaving()) {
      const auto bytes = feed_.next_bytes();
      if (!bytes) break;
      const std::uint64_t cost = std::min(*bytes, kFullCost);
      if (!has_room(cost)) break;
      ++in_flight_;
      bytes_in_flight_ += cost;
      feed_.start_next([this, cost] {
        --in_flight_;
        bytes_in_flight_ -= cost;
        pump();
        if (in_flight_ == 0) run_.connection.wake();
      });
    }
    pumping_ = false;
  }

  CommandRun& run_;
  ItemFeed& feed_;
  std::size_t in_flight_ = 0;
  std::uint64_t bytes_in_flight_ = 0;
  bool pumping_ = false;
};

/// Items that are all known before.
class ListFeed final : public ItemFeed {
 public:
  ListFeed(CommandRun& run, const std::vector<TransferItem>& items, const StartItem& start)
      : run_(run), items_(items), start_(start) {}
  std::optional<std::uint64_t> next_bytes() const override {
    if (exhausted()) return std::nullopt;
    return items_[next_].bytes;
  }
  void start_next(std::function<void()> over) override {
    const std::size_t index = next_++;
    start_(index, [this, index, over = std::move(over)] {
      run_.meter.file_done(index);
      over();
    });
  }
  bool exhausted() const override { return next_ == items_.size(); }
  void leave_behind(const Error& error) override {
    for (; next_ < items_.size(); ++next_) run_.report.left_behind(error, items_[next_].remote);
  }

 private:
  CommandRun& run_;
  const std::vector<TransferItem>& items_;
  const StartItem& start_;
  std::size_t next_ = 0;
};

}  // namespace

CommandRun::CommandRun(const CommandOptions& given)
    : options(given),
      toolbox{make_sha256, make_zstd_codec, system_random()},
      connection(given.timeout, given.retries),
      report(given) {}

bool CommandRun::connect(const Url& url) {
  report.start(url);
  Security security = options.security;
  security.notice = [](const std::string& sentence) { std::fprintf(stderr, "notice: %s\n", sentence.c_str()); };
  const auto connected = connection.connect(url, security);
  if (!connected) report.failed(connected.error());
  return static_cast<bool>(connected);
}

int CommandRun::finish() {
  if (const int signal = connection.interrupted()) report.end_with(kSignalExit + signal);
  return report.finish({connection.bytes_sent(), connection.bytes_received()});
}

int CommandRun::refuse(const Error& error) {
  report.failed(error);
  return finish();
}

void run_pipelined(CommandRun& run, ItemFeed& feed) {
  run.connection.set_on_tick([&run] {
    const auto now = std::chrono::steady_clock::now();
    run.report.progress(run.meter.sample(now, run.connection.bytes_sent() + run.connection.bytes_received()), now);
  });
  Pipeline(run, feed).run();
  run.connection.set_on_tick(nullptr);
}

void run_pipelined(CommandRun& run, const std::vector<TransferItem>& items, const StartItem& start) {
  std::vector<std::uint64_t> sizes;
  sizes.reserve(items.size());
  for (const TransferItem& item : items) sizes.push_back(item.bytes);
  run.meter.plan(sizes);
  run.report.plan(items.size(), std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}));
  ListFeed feed(run, items, start);
  run_pipelined(run, feed);
}

Result<std::string> name_in_folder(const std::string& path) {
  std::string name(last_part(path));
  if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string::npos) {
    return fail(Code::kUsage,
                "'" + printable(path) + "' has no name of its own that could be used in the folder; name the file.");
  }
  return name;
}

}  // namespace millrace
