// What every command's run has: its options, a connection, a report, and for transfers the pipeline that keeps many
// files in flight.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/connection.h"
#include "client/options.h"
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
};

/// One file of a transfer.
struct TransferItem {
  std::string local;
  std::string remote;
  std::uint64_t bytes = 0;  ///< as far as it is known before
};

/// Starts item `index`; must call the function it is given once, when the item is over, at once or later on the loop.
using StartItem = std::function<void(std::size_t index, std::function<void()> over)>;

/// Runs all items on the run's connection, pipelined: at most 64 at once, and of large ones as few as keeps the memory
/// of all transfers bounded (each takes up to some 24 MiB). Items that were not started when the connection was lost
/// are reported as left behind.
void run_pipelined(CommandRun& run, const std::vector<TransferItem>& items, const StartItem& start);

/// The local name behind which a remote file goes into a folder, and the reverse. Errors: kUsage where there is none
/// ("..", "/").
Result<std::string> name_in_folder(const std::string& path);

int run_upload(const CommandOptions& options);
int run_download(const CommandOptions& options);
int run_query(const CommandOptions& options);

}  // namespace millrace
