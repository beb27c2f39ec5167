// What a run of the load generator is asked for: taken apart, checked against itself and against the limits of the
// machine, before anything is begun.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "load/file_recipe.h"
#include "load/threshold.h"

namespace millrace {

enum class Operation : std::uint8_t { kUpload, kUploadDelta, kDownload, kDownloadDelta, kList, kIdle, kMixed };

/// "upload-delta" and so on.
const char* operation_name(Operation operation);

/// When transfers begin.
enum class Model : std::uint8_t {
  kClosed,  ///< each client begins its next one when the last has ended
  kOpen,    ///< at a fixed rate, however long they take
};

/// Sizes of the clients' files: one, or from a range.
struct SizeRange {
  enum class Spread : std::uint8_t { kUniform, kLogarithmic };
  std::uint64_t least = 64 * 1024;
  std::uint64_t most = 64 * 1024;
  Spread spread = Spread::kUniform;

  /// The size of one client's file, the same for the same seed.
  std::uint64_t of(std::uint64_t seed, std::uint32_t client) const;
};

using Seconds = std::chrono::duration<double>;

struct LoadOptions {
  Url url;
  std::string url_text;
  Operation operation = Operation::kUploadDelta;
  std::vector<std::pair<Operation, std::uint32_t>> mix;  ///< with kMixed: how many of all begin with each operation
  Model model = Model::kClosed;
  double rate = 0;  ///< with kOpen: transfers a second, of all clients; with find_max the first to try
  std::uint32_t clients = 10;
  std::uint32_t slow_clients = 0;
  std::uint32_t loops = 1;                 ///< threads that the clients are spread over
  std::optional<std::uint64_t> transfers;  ///< in each run; absent: as many as fit into `measure`
  std::optional<Seconds> measure;          ///< transfers begin for so long
  Seconds ramp{0};
  Seconds warmup{0};
  Seconds timeout{300};
  std::uint32_t repeat = 1;
  SizeRange size;
  std::string size_text = "64KiB";
  EditRules edits;
  std::string change_text = "overwrite";
  std::uint64_t seed = 1;
  bool tls = false;
  std::string token_file;                 ///< as given
  std::optional<std::string> token = {};  ///< what every client shows
  bool verify = false;
  bool cleanup = false;
  bool quiet = false;
  std::string json_path;
  std::vector<Threshold> thresholds;
  std::vector<Threshold> find_max;  ///< what the highest rate must hold; empty: none is looked for
  std::optional<std::uint32_t> server_pid;
};

struct CompareOptions {
  std::vector<std::string> first;
  std::vector<std::string> second;
  std::string html;  ///< where a page goes; empty: text on standard output
};

struct ReportOptions {
  std::string path;
  std::string html;  ///< likewise
};

/// What to do, or the exit code when there is nothing (more) to do: help was printed, or the sentence why not.
using LoadCommand = std::variant<LoadOptions, ReportOptions, CompareOptions, int>;
LoadCommand parse_load_command(int argc, char** argv);

/// "64KiB", "4KiB..1GiB", "4KiB..1GiB:log". Errors: kUsage.
Result<SizeRange> parse_size_range(std::string_view text);
/// "30s", "500ms", "2m", "1h"; a number alone is seconds. Errors: kUsage.
Result<Seconds> parse_duration(std::string_view text);
/// "upload-delta=70,download=20,list=10". Errors: kUsage.
Result<std::vector<std::pair<Operation, std::uint32_t>>> parse_mix(std::string_view text);

}  // namespace millrace
