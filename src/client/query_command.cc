// `millrace list`, `stat`, `delete`, `move`, `verify` and `restore`: requests without file contents.
#include "base/path.h"
#include "client/ask.h"
#include "client/command_run.h"
#include "client/local_files.h"
#include "client/selection.h"
#include "delta/source_root.h"

namespace millrace {

Result<std::vector<wire::EntryMessage>> ask_stat(Connection& connection, std::vector<std::string> paths) {
  wire::Stat request;
  request.paths = std::move(paths);
  MILLRACE_ASSIGN(auto reply, ask<wire::Entries>(connection, [&](StreamPort& port, auto done) {
                    return make_query(port, request, done);
                  }));
  if (reply.entries.size() != request.paths.size()) {
    return fail(Code::kProtocol, "The server did not answer for the paths that it was asked for.");
  }
  return std::move(reply.entries);
}

namespace {

RootAllowed root_allowed(Verb verb) {
  return verb == Verb::kList || verb == Verb::kStat ? RootAllowed::kYes : RootAllowed::kNo;
}

/// Asks for one page after the other and shows each entry.
template <typename Request, typename Show>
Status show_pages(CommandRun& run, Request request, const Show& show) {
  for (;;) {
    MILLRACE_ASSIGN(const auto reply, ask<wire::Entries>(run.connection, [&](StreamPort& port, auto done) {
                      return make_query(port, request, done);
                    }));
    for (const auto& entry : reply.entries) show(entry);
    if (reply.next_cursor.empty()) return {};
    if (reply.next_cursor == request.cursor)
      return fail(Code::kProtocol, "The server's listing does not go on from where it stopped.");
    request.cursor = reply.next_cursor;
  }
}

Status list(CommandRun& run, const std::string& path) {
  MILLRACE_ASSIGN(const Selection selection, load_selection(run.options));
  wire::List request;
  request.path = path;
  request.recursive = run.options.recursive;
  return show_pages(run, std::move(request), [&](const wire::EntryMessage& entry) {
    const bool folder = entry.kind == static_cast<std::uint32_t>(EntryKind::kFolder);
    const std::string_view below = std::string_view(entry.path).substr(path.empty() ? 0 : path.size() + 1);
    if (!selection.patterns.hides(below, folder ? EntryType::kFolder : EntryType::kFile)) run.report.entry(entry);
  });
}

Status list_trash(CommandRun& run, const std::string& path) {
  wire::ListTrash request;
  request.path = path;
  return show_pages(run, std::move(request), [&run](const wire::EntryMessage& entry) { run.report.trashed(entry); });
}

Result<wire::EntryMessage> stat(CommandRun& run, const std::string& path) {
  MILLRACE_ASSIGN(const auto entries, ask_stat(run.connection, {path}));
  const wire::EntryMessage& entry = entries.front();
  if (entry.error != 0) return fail(code_from_wire(entry.error), entry.sentence);
  return entry;
}

template <typename Request>
Result<wire::Done> request(CommandRun& run, const Request& message) {
  return ask<wire::Done>(run.connection,
                         [&](StreamPort& port, auto done) { return make_request(port, message, done); });
}

/// The server reads its file again; with a local file, that is what stands there is what stands here.
Status verify(CommandRun& run, const std::string& path) {
  MILLRACE_ASSIGN(const wire::Done reply, request(run, wire::Verify{path}));
  if (run.options.arguments.size() < 2) {
    run.report.request_done(path, "intact");
    return {};
  }
  const std::string& local = run.options.arguments[1];
  MILLRACE_ASSIGN(const auto source, FileSource::open(local));
  auto root = std::make_shared<Result<Digest>>(Digest{});
  run.connection.run_job([root, source, hasher = run.toolbox.hasher] { *root = source_root(*source, *hasher()); });
  if (!*root) return fail(root->error());
  if (!reply.version || reply.version->token.root != **root)
    return fail(Code::kIntegrity, "'" + printable(local) + "' holds something else than '" + printable(path) +
                                      "' on the server, which is intact there; one of them has another version.");
  run.report.request_done(path, "intact, and the same here");
  return {};
}

/// The path that a move's second argument means: a path on the same server, or a whole address of it.
Result<std::string> move_target(const CommandOptions& options, const Url& from) {
  const std::string& argument = options.arguments[1];
  if (!argument.starts_with("millrace://") && options.arguments[0].starts_with("millrace://")) return argument;
  MILLRACE_ASSIGN(const Url url, resolve_address(argument, options.server));
  if (url.host != from.host || url.port != from.port)
    return fail(Code::kUsage, "A file can be moved on one server only; upload it to the other one.");
  return url.path;
}

/// A delete or move that is only looked at: what the server would refuse is an error here too.
Status would(CommandRun& run, const std::string& path, const std::string& move_to) {
  MILLRACE_ASSIGN(const auto entry, stat(run, path));
  const std::string shown = printable(path);
  if (run.options.verb == Verb::kMove) {
    const auto there = stat(run, move_to);
    if (!there && there.error().code != Code::kNotFound) return fail(there.error());
    if (there && !run.options.force)
      return fail(Code::kConflict, "'" + printable(move_to) + "' is there already; use --force to replace it.");
    run.report.would(path, "move " + shown + " to " + printable(move_to) + (there ? " (replacing what is there)" : ""));
    return {};
  }
  if (entry.kind == static_cast<std::uint32_t>(EntryKind::kFolder) && !run.options.recursive) {
    wire::List request;
    request.path = path;
    request.limit = 1;
    MILLRACE_ASSIGN(const auto inside, ask<wire::Entries>(run.connection, [&](StreamPort& port, auto done) {
                      return make_query(port, request, done);
                    }));
    if (!inside.entries.empty())
      return fail(Code::kConflict,
                  "The folder '" + shown + "' is not empty; use -r to delete it with all that is in it.");
  }
  run.report.would(path, "delete " + shown);
  return {};
}

Status carry_out(CommandRun& run, const std::string& path, const std::string& move_to) {
  switch (run.options.verb) {
    case Verb::kList:
      return run.options.trash ? list_trash(run, path) : list(run, path);
    case Verb::kStat: {
      MILLRACE_ASSIGN(const auto entry, stat(run, path));
      run.report.entry(entry);
      return {};
    }
    case Verb::kDelete: {
      wire::Delete message;
      message.path = path;
      message.recursive = run.options.recursive;
      MILLRACE_TRY(request(run, message));
      run.report.request_done(path, "deleted");
      return {};
    }
    case Verb::kMove:
      MILLRACE_TRY(request(run, wire::Move{path, move_to, run.options.force}));
      run.report.request_done(path, "moved");
      return {};
    case Verb::kRestore:
      MILLRACE_TRY(
          request(run, wire::Restore{path, run.options.trashed_ns, run.options.restore_to, run.options.force}));
      run.report.request_done(path, "restored");
      return {};
    default:
      return verify(run, path);
  }
}

}  // namespace

int run_query(const CommandOptions& options) {
  CommandRun run(options);
  auto url = resolve_address(options.arguments.empty() ? std::string() : options.arguments.front(), options.server);
  if (!url) return run.refuse(url.error());
  // The slash that makes a folder of an address says nothing more here.
  if (url->path.ends_with('/') && options.verb != Verb::kVerify) url->path.pop_back();
  if (auto checked = check_path(url->path, root_allowed(options.verb)); !checked) return run.refuse(checked.error());
  std::string move_to;
  if (options.verb == Verb::kMove) {
    auto target = move_target(options, *url);
    if (!target) return run.refuse(target.error());
    move_to = std::move(*target);
    if (auto checked = check_path(move_to, RootAllowed::kNo); !checked) return run.refuse(checked.error());
  }
  if (options.verb == Verb::kRestore && !options.restore_to.empty()) {
    if (auto checked = check_path(options.restore_to, RootAllowed::kNo); !checked) return run.refuse(checked.error());
  }
  if (run.connect(*url)) {
    const Status status = options.dry_run ? would(run, url->path, move_to) : carry_out(run, url->path, move_to);
    if (!status) run.report.failed(status.error(), url->path);
  }
  return run.finish();
}

}  // namespace millrace
