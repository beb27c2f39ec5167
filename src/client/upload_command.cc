// `millrace upload`: local files, or standard input, to a server.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/path.h"
#include "client/ask.h"
#include "client/command_run.h"
#include "client/local_files.h"
#include "client/spool.h"
#include "client/tree_upload.h"
#include "client/upload_file.h"

namespace millrace {

namespace {

constexpr char kStandardInput[] = "-";
constexpr std::size_t kPathsOfAQuestion = 500;
constexpr std::size_t kPathBytesOfAQuestion = 100'000;  ///< a message holds 256 KiB

std::uint64_t size_now(const std::string& path) {
  struct stat stat {};
  return ::stat(path.c_str(), &stat) == 0 && S_ISREG(stat.st_mode) ? static_cast<std::uint64_t>(stat.st_size) : 0;
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
        run_pipelined(run_, items_,
                      [this](std::size_t index, std::function<void()> over) { start(index, std::move(over)); });
      }
    }
    return run_.finish();
  }

 private:
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

  Result<std::shared_ptr<LocalSource>> open_source(const std::string& local) {
    auto file =
        local == kStandardInput ? FileSource::adopt(spool_.release(), "standard input") : FileSource::open(local);
    if (!file) return fail(file.error());
    return std::shared_ptr<LocalSource>(std::move(*file));
  }

  void start(std::size_t index, std::function<void()> over) {
    const TransferItem& item = items_[index];
    const auto source = open_source(item.local);
    if (!source) {
      run_.report.failed(source.error(), item.remote);
      return over();
    }
    upload_file(run_, {index, item.local, item.remote, [this, &item] { return open_source(item.local); }}, *source,
                run_.options.transfer(), std::move(over));
  }

  /// Asks the server what is at each path and looks whether each file can be read.
  void dry_run() {
    for (std::size_t next = 0; next < items_.size();) {
      const std::size_t first = next;
      std::vector<std::string> paths;
      for (std::size_t bytes = 0;
           next < items_.size() && paths.size() < kPathsOfAQuestion && bytes < kPathBytesOfAQuestion; ++next) {
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
    say_would_upload(run_, item.local, item.remote, (*source)->size(), (*source)->attributes(), there);
  }

  CommandRun run_;
  std::vector<TransferItem> items_;
  bool reads_input_ = false;
  Descriptor spool_;
};

/// With -r the address is a folder, whether it ends in '/' or not.
int run_tree_upload(const CommandOptions& options) {
  CommandRun run(options);
  std::vector<std::string> locals = options.arguments;
  const auto url = resolve_address(locals.back(), options.server);
  locals.pop_back();
  if (!url) return run.refuse(url.error());
  std::string folder = url->path;
  while (folder.ends_with('/')) folder.pop_back();
  if (const auto checked = check_path(folder, RootAllowed::kYes); !checked) return run.refuse(checked.error());
  if (std::find(locals.begin(), locals.end(), kStandardInput) != locals.end())
    return run.refuse({Code::kUsage, "Standard input is not a folder; upload it without -r."});
  auto selection = load_selection(options);
  if (!selection) return run.refuse(selection.error());
  if (selection->names && locals.size() != 1)
    return run.refuse({Code::kUsage, "--files-from names files of one folder; name that folder alone."});
  if (run.connect(*url)) {
    TreeUpload upload(run, std::move(locals), folder.empty() ? folder : folder + "/", std::move(*selection));
    upload.begin();
    run_pipelined(run, upload);
  }
  return run.finish();
}

}  // namespace

int run_upload(const CommandOptions& options) {
  return options.recursive ? run_tree_upload(options) : UploadRun(options).run();
}

}  // namespace millrace
