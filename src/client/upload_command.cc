// `millrace upload`: local files, or standard input, to a server.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/path.h"
#include "client/ask.h"
#include "client/command_run.h"
#include "client/local_files.h"
#include "client/spool.h"
#include "sync/upload_client.h"

namespace millrace {

namespace {

constexpr char kStandardInput[] = "-";
constexpr std::size_t kStatPaths = 500;
constexpr std::size_t kStatPathBytes = 100'000;  ///< a message holds 256 KiB

std::uint64_t size_now(const std::string& path) {
  struct stat stat {};
  return ::stat(path.c_str(), &stat) == 0 && S_ISREG(stat.st_mode) ? static_cast<std::uint64_t>(stat.st_size) : 0;
}

Error changed_while_read(const std::string& local) {
  return {Code::kSourceChanged, "'" + printable(local) + "' changed while it was read; try again when it is at rest."};
}

class UploadRun {
 public:
  explicit UploadRun(const CommandOptions& options) : run_(options) {}

  int run() {
    std::vector<std::string> locals = run_.options.arguments;
    const auto url = resolve_address(locals.back(), run_.options.server);
    locals.pop_back();
    if (!url) return run_.refuse(url.error());
    if (auto planned = plan(locals, *url); !planned) return run_.refuse(planned.error());
    if (reads_input_) {
      if (auto filled = spool_input(); !filled) return run_.refuse(filled.error());
    }
    if (run_.connect(*url)) {
      if (run_.options.dry_run) {
        dry_run();
      } else {
        run_pipelined(run_, items_, [this](std::size_t index, std::function<void()> over) {
          start(index, Attempt::kFirst, std::move(over));
        });
      }
    }
    return run_.finish();
  }

 private:
  enum class Attempt { kFirst, kSecond };

  Status plan(const std::vector<std::string>& locals, const Url& url) {
    const bool into_folder = url.path.empty() || url.path.ends_with('/');
    if (locals.size() > 1 && !into_folder) {
      return fail(Code::kUsage, "Several files need a folder as their target: end the address in '/'.");
    }
    for (const std::string& local : locals) {
      std::string remote = url.path;
      if (local == kStandardInput) {
        if (into_folder) return fail(Code::kUsage, "Standard input has no name; name the file in the address.");
        reads_input_ = true;
      } else if (into_folder) {
        std::string trimmed = local;
        while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
        MILLRACE_ASSIGN(const std::string name, name_in_folder(trimmed));
        remote += name;
      }
      MILLRACE_TRY(check_path(remote, RootAllowed::kNo));
      items_.push_back({local, remote, size_now(local)});
    }
    return {};
  }

  Status spool_input() {
    MILLRACE_ASSIGN(spool_, open_spool());
    Status filled;
    run_.connection.run_job([this, &filled] {
      filled = fill_spool(STDIN_FILENO, spool_, [this] { return run_.connection.interrupted() != 0; });
    });
    MILLRACE_TRY(filled);
    struct stat stat {};
    if (fstat(spool_.number(), &stat) != 0)
      return fail(system_error(errno, "What came through the pipe cannot be read"));
    items_.front().bytes = static_cast<std::uint64_t>(stat.st_size);
    return {};
  }

  Result<std::shared_ptr<FileSource>> open_source(const std::string& local) {
    if (local != kStandardInput) return FileSource::open(local);
    return FileSource::adopt(spool_.release(), "standard input");
  }

  /// A file that changed while it was read is tried once more.
  void start(std::size_t index, Attempt attempt, std::function<void()> over) {
    const TransferItem& item = items_[index];
    auto source = open_source(item.local);
    if (!source) {
      const bool vanished = attempt == Attempt::kSecond && source.error().code == Code::kNotFound;
      run_.report.failed(
          vanished ? Error{Code::kSourceChanged, "'" + printable(item.local) + "' vanished while it was read."}
                   : source.error(),
          item.remote);
      return over();
    }
    const auto file = *source;
    const auto done = [this, index, attempt, file, over](const Result<TransferResult>& result) {
      on_done(index, attempt, *file, result, over);
    };
    const auto opened = run_.connection.mux().open([&](StreamPort& port) {
      return make_upload(port, {item.remote, file, file->attributes()}, run_.options.transfer(), run_.toolbox, done,
                         [this, index](const TransferProgress& now) { run_.meter.update(index, now); });
    });
    if (opened) return;
    run_.report.failed(opened.error(), item.remote);
    over();
  }

  void on_done(std::size_t index, Attempt attempt, const FileSource& file, const Result<TransferResult>& result,
               const std::function<void()>& over) {
    const TransferItem& item = items_[index];
    // Torn content also shows as a root that does not fit.
    const bool torn =
        !result && (result.error().code == Code::kSourceChanged || result.error().code == Code::kIntegrity);
    if ((result || torn) && !file.unchanged()) {
      if (attempt == Attempt::kFirst) return start(index, Attempt::kSecond, over);
      run_.report.failed(changed_while_read(item.local), item.remote);
    } else if (result) {
      run_.report.file_done(item.local, item.remote, *result, file.size());
    } else {
      run_.report.failed(result.error(), item.remote);
    }
    over();
  }

  /// Asks the server what is at each path and looks whether each file can be read.
  void dry_run() {
    for (std::size_t next = 0; next < items_.size();) {
      const std::size_t first = next;
      std::vector<std::string> paths;
      for (std::size_t bytes = 0; next < items_.size() && paths.size() < kStatPaths && bytes < kStatPathBytes; ++next) {
        bytes += items_[next].remote.size();
        paths.push_back(items_[next].remote);
      }
      const auto entries = ask_stat(run_.connection, std::move(paths));
      if (!entries) return run_.report.failed(entries.error());
      for (std::size_t i = first; i < next; ++i) say_would(items_[i], (*entries)[i - first]);
    }
  }

  void say_would(const TransferItem& item, const wire::EntryMessage& there) {
    const auto source = open_source(item.local);
    if (!source) return run_.report.failed(source.error(), item.remote);
    const Code error = there.error == 0 ? Code::kFailed : code_from_wire(there.error);
    if (there.error != 0 && error != Code::kNotFound)
      return run_.report.failed({error, printable(there.sentence)}, item.remote);
    if (there.error == 0 && there.kind == static_cast<std::uint32_t>(EntryKind::kFolder)) {
      return run_.report.failed(
          {Code::kUsage, "'" + printable(item.remote) +
                             "' is a folder on the server; end the address in '/' to put the file into it."},
          item.remote);
    }
    std::string what = "new";
    if (there.error == 0) {
      const bool alike =
          there.version.bytes == (*source)->size() && there.version.attributes == (*source)->attributes();
      what = alike ? "has the same size, time and mode there"
                   : "replaces " + std::to_string(there.version.bytes) + " bytes there";
    }
    run_.report.would(item.remote, "upload " + printable(item.local) + " to " + printable(item.remote) + " (" +
                                       std::to_string((*source)->size()) + " bytes; " + what + ")");
  }

  CommandRun run_;
  std::vector<TransferItem> items_;
  bool reads_input_ = false;
  Descriptor spool_;
};

}  // namespace

int run_upload(const CommandOptions& options) {
  return UploadRun(options).run();
}

}  // namespace millrace
