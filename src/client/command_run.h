// What every command's run has: its options, a connection, a report, and for transfers the pipeline that keeps many
// files in flight.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/connection.h"
#include "client/options.h"
#include "client/partial_download.h"
#include "client/progress_meter.h"
#include "client/report.h"
#include "sync/toolbox.h"

namespace millrace {

struct CommandRun {
  explicit CommandRun(const CommandOptions& given);

  /// Connects and says so. False: failed, and that was reported.
  bool connect(const Url& url);
  /// The summary and the exit code.
  int finish();
  /// Ends before anything was begun.
  int refuse(const Error& error);

  CommandOptions options;
  Toolbox toolbox;
  Connection connection;
  ProgressMeter meter;
  Report report;
  PartialDownloads partials;
};

/// One file of a transfer.
struct TransferItem {
  std::string local;
  std::string remote;
  std::uint64_t bytes = 0;  ///< as far as it is known before
};

/// Hands out a run's items one after the other, when there is room for them. Everything happens on the loop.
class ItemFeed {
 public:
  virtual ~ItemFeed() = default;
  /// Content of the next item. Nothing: none is at hand; on_ready() is called when that changes.
  virtual std::optional<std::uint64_t> next_bytes() const = 0;
  /// Starts the next item. It is over when `over` is called, once, at once or later.
  virtual void start_next(std::function<void()> over) = 0;
  /// There will be no further item.
  virtual bool exhausted() const = 0;
  /// The connection is lost: says so for the items that were not started.
  virtual void leave_behind(const Error& error) = 0;

  std::function<void()> on_ready;  ///< set by the pipeline
};

/// Runs all items on the run's connection, pipelined: hundreds of small ones at once, and of large ones as few as keeps
/// the memory of all transfers bounded (each takes up to some 24 MiB).
void run_pipelined(CommandRun& run, ItemFeed& feed);

/// Starts item `index`; must call the function it is given once, when the item is over, at once or later on the loop.
using StartItem = std::function<void(std::size_t index, std::function<void()> over)>;

/// The same for items that are all known.
void run_pipelined(CommandRun& run, const std::vector<TransferItem>& items, const StartItem& start);

/// The local name behind which a remote file goes into a folder, and the reverse. Errors: kUsage where there is none
/// ("..", "/").
Result<std::string> name_in_folder(const std::string& path);

int run_upload(const CommandOptions& options);
int run_download(const CommandOptions& options);
int run_query(const CommandOptions& options);

}  // namespace millrace
