// `millrace download`: a server's files to local ones, or to standard output.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/path.h"
#include "client/ask.h"
#include "client/command_run.h"
#include "client/file_draft.h"
#include "client/spool.h"
#include "client/tree_download.h"
#include "sync/download_attempts.h"

namespace millrace {

namespace {

constexpr char kStandardOutput[] = "-";

class DownloadRun {
 public:
  explicit DownloadRun(const CommandOptions& options) : run_(options) {}

  int run() {
    std::vector<std::string> addresses = run_.options.arguments;
    const std::string local = addresses.back();
    addresses.pop_back();
    if (auto planned = plan(addresses, local); !planned) return run_.refuse(planned.error());
    if (to_output_) {
      auto spool = open_spool();
      if (!spool) return run_.refuse(spool.error());
      spool_ = std::move(*spool);
      run_.report.keep_stdout_for_content();
    }
    if (run_.connect(url_)) {
      if (run_.options.dry_run) {
        for (const TransferItem& item : items_) dry_run(item);
      } else {
        run_pipelined(run_, items_,
                      [this](std::size_t index, std::function<void()> over) { start(index, std::move(over)); });
      }
    }
    if (fetched_) pour_out(*fetched_);
    return run_.finish();
  }

 private:
  Status plan(const std::vector<std::string>& addresses, const std::string& local) {
    to_output_ = local == kStandardOutput;
    const bool into_folder = local.ends_with('/');
    if (addresses.size() > 1 && !into_folder) {
      return fail(Code::kUsage, "Several files need a folder as their target: end the local name in '/'.");
    }
    for (const std::string& address : addresses) {
      MILLRACE_ASSIGN(const Url url, resolve_address(address, run_.options.server));
      if (!items_.empty() && (url.host != url_.host || url.port != url_.port)) {
        return fail(Code::kUsage, "All files of one download must be on the same server; fetch the others separately.");
      }
      url_ = url;
      MILLRACE_TRY(check_path(url.path, RootAllowed::kNo));
      items_.push_back({into_folder ? local + std::string(last_part(url.path)) : local, url.path, 0});
    }
    return {};
  }

  void start(std::size_t index, const std::function<void()>& over) {
    const TransferItem& item = items_[index];
    auto target = make_target(item);
    if (!target) {
      run_.report.failed(target.error(), item.remote);
      return over();
    }
    const auto done = [this, index, over](const Result<TransferResult>& result) {
      if (!result && may_begin_again() &&
          run_.connection.try_later(result.error(), [this, index, over] { start(index, over); }))
        return;
      on_done(items_[index], result);
      over();
    };
    const auto opened = begin_download([this](const auto& make) { return run_.connection.mux().open(make); },
                                       std::move(*target), run_.options.transfer(), run_.toolbox, done,
                                       [this, index](const TransferProgress& now) { run_.meter.update(index, now); });
    if (opened) return;
    if (run_.connection.try_later(opened.error(), [this, index, over] { start(index, over); })) return;
    run_.report.failed(opened.error(), item.remote);
    over();
  }

  /// What goes to standard output has one place only.
  bool may_begin_again() const { return !to_output_; }

  Result<DownloadTarget> make_target(const TransferItem& item) {
    DownloadTarget target;
    target.path = item.remote;
    if (to_output_) {
      target.open_draft = [this](const auto&, const auto&) -> Result<std::unique_ptr<DownloadDraft>> {
        const int descriptor = dup(spool_.number());
        if (descriptor < 0) return fail(system_error(errno, "The file for what goes to the pipe cannot be opened"));
        return make_spool_draft(descriptor);
      };
      return target;
    }
    MILLRACE_ASSIGN(const auto there, open_basis(item.local));
    DraftPlace what{there, nullptr, run_.toolbox.random()};
    // A folder that is not there is said when the server has the file.
    if (const auto place = place_of(item.local)) what.partial = run_.partials.of(*place);
    set_basis(target, what);
    target.on_cut = [this](std::function<void()> work) { run_.connection.start_job(std::move(work), [] {}); };
    target.open_draft = [local = item.local, what](std::shared_ptr<const Source> basis,
                                                   std::shared_ptr<const ChunkList> chunks) {
      return open_file_draft(local, what, std::move(basis), std::move(chunks));
    };
    return target;
  }

  /// The file that is to be replaced, or nothing.
  static Result<std::shared_ptr<const Source>> open_basis(const std::string& local) {
    struct stat stat {};
    if (::stat(local.c_str(), &stat) == 0 && !S_ISREG(stat.st_mode)) {
      const bool folder = S_ISDIR(stat.st_mode);
      return fail(
          Code::kUsage,
          "'" + printable(local) +
              (folder
                   ? "' is a folder; end it in '/' to put the file into it (-r takes whole folders, `sync` is to come)."
                   : "' is not a regular file and is not replaced; `-` writes to standard output."));
    }
    auto source = FileSource::open(local);
    if (source) return *source;
    if (source.error().code == Code::kNotFound) return nullptr;
    return fail(source.error());
  }

  void on_done(const TransferItem& item, const Result<TransferResult>& result) {
    if (!result) return run_.report.failed(result.error(), item.remote);
    if (to_output_) {
      fetched_ = *result;
      return;
    }
    if (result->unchanged) {
      if (auto set = set_attributes(item.local, result->version.attributes); !set)
        return run_.report.failed(set.error(), item.remote);
    }
    run_.report.file_done(item.local, item.remote, *result, result->version.bytes);
  }

  /// Nothing goes to standard output before its root is verified.
  void pour_out(const TransferResult& result) {
    Status poured;
    run_.connection.run_job([this, &poured] {
      poured = drain_spool(spool_, STDOUT_FILENO, [this] { return run_.connection.interrupted() != 0; });
    });
    const TransferItem& item = items_.front();
    if (!poured) return run_.report.failed(poured.error(), item.remote);
    run_.report.file_done(item.local, item.remote, result, result.version.bytes);
  }

  void dry_run(const TransferItem& item) {
    if (!to_output_) {
      if (const auto basis = open_basis(item.local); !basis) return run_.report.failed(basis.error(), item.remote);
    }
    const auto entries = ask_stat(run_.connection, {item.remote});
    if (!entries) return run_.report.failed(entries.error(), item.remote);
    const wire::EntryMessage& there = entries->front();
    if (there.error != 0)
      return run_.report.failed({code_from_wire(there.error), printable(there.sentence)}, item.remote);
    if (there.kind != 0)
      return run_.report.failed(
          {Code::kUsage, "'" + printable(item.remote) + "' is not a file (-r takes whole folders, `sync` is to come)."},
          item.remote);
    run_.report.would(item.remote, "download " + printable(item.remote) + " to " +
                                       (to_output_ ? "standard output" : printable(item.local)) + " (" +
                                       std::to_string(there.version.bytes) + " bytes)");
  }

  CommandRun run_;
  Url url_;
  std::vector<TransferItem> items_;
  bool to_output_ = false;
  std::optional<TransferResult> fetched_;  ///< to the spool
  Descriptor spool_;
};

/// With -r the local name is a folder, whether it ends in '/' or not.
int run_tree_download(const CommandOptions& options) {
  CommandRun run(options);
  std::vector<std::string> remotes;
  Url server;
  for (std::size_t i = 0; i + 1 < options.arguments.size(); ++i) {
    const auto url = resolve_address(options.arguments[i], options.server);
    if (!url) return run.refuse(url.error());
    if (!remotes.empty() && (url->host != server.host || url->port != server.port))
      return run.refuse(
          {Code::kUsage, "All folders of one download must be on the same server; fetch the others separately."});
    server = *url;
    std::string path = url->path;
    while (path.ends_with('/')) path.pop_back();
    if (const auto checked = check_path(path, RootAllowed::kYes); !checked) return run.refuse(checked.error());
    remotes.push_back(url->path);
  }
  const std::string& local = options.arguments.back();
  if (local == kStandardOutput)
    return run.refuse({Code::kUsage, "Folders do not fit through a pipe; name a local folder."});
  auto selection = load_selection(options);
  if (!selection) return run.refuse(selection.error());
  if (selection->names && remotes.size() != 1)
    return run.refuse({Code::kUsage, "--files-from names files of one folder; name that folder alone."});
  if (run.connect(server)) {
    TreeDownload download(run, std::move(remotes), local, std::move(*selection));
    if (const auto begun = download.begin(); begun) {
      run_pipelined(run, download);
    } else {
      run.report.failed(begun.error());
    }
  }
  return run.finish();
}

}  // namespace

int run_download(const CommandOptions& options) {
  return options.recursive ? run_tree_download(options) : DownloadRun(options).run();
}

}  // namespace millrace
