#include "client/command_line.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/path.h"
#include "base/units.h"
#include "client/address.h"
#include "client/local_files.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "session/session.h"
#include "sync/query_client.h"
#include "sync/upload_client.h"

namespace millrace {

namespace {

using nlohmann::json;

int exit_code(Code code) {
  switch (code) {
    case Code::kUsage: return 2;
    case Code::kSourceChanged: return 4;
    case Code::kNotFound: return 10;
    case Code::kConflict: return 11;
    case Code::kNotAuthenticated: return 12;
    case Code::kNotAllowed: return 13;
    case Code::kQuota: return 14;
    case Code::kIntegrity: return 15;
    case Code::kNetwork:
    case Code::kBusy: return 16;
    case Code::kVersion:
    case Code::kProtocol: return 18;
    default: return 1;
  }
}

struct Options {
  bool quiet = false;
  bool as_json = false;
  bool force = false;
  bool recursive = false;
  bool whole_file = false;
  bool dry_run = false;
  std::string depth;
};

std::string token_text(const VersionToken& token) {
  return std::to_string(token.epoch) + "." + std::to_string(token.sequence) + "." + to_hex(token.root).substr(0, 16);
}

/// One command's run: a connection, its requests and what is said at the end.
class Command {
 public:
  explicit Command(const Options& options) : options_(options), started_(std::chrono::steady_clock::now()) {}

  Status connect(const Url& url) {
    auto stream = std::make_unique<TcpStream>(loop_);
    Status status = fail(Code::kNetwork, "The server cannot be reached");
    stream->connect(url.host, url.port, [&](Status result) {
      status = std::move(result);
      loop_.stop();
    });
    loop_.run();
    MILLRACE_TRY(status);
    session_ = std::make_shared<Session>(loop_, std::move(stream), Mux::Role::kClient, nullptr, [this](const Error&) { loop_.stop(); });
    session_->start();
    return {};
  }

  ~Command() {
    if (session_) session_->close({Code::kCancelled, "The command is over."});
  }

  Mux& mux() { return session_->mux(); }
  Loop& loop() { return loop_; }
  const Options& options() const { return options_; }

  TransferOptions transfer_options() const {
    TransferOptions transfer;
    if (options_.depth == "full") {
      transfer.max_depth = 3;
      transfer.level = 9;
    } else if (!options_.depth.empty()) {
      transfer.max_depth = static_cast<std::uint32_t>(std::stoul(options_.depth));
    }
    transfer.whole_file = options_.whole_file;
    if (options_.force) transfer.expected = Expected{};
    return transfer;
  }

  void event(const char* name, json fields) const {
    if (!options_.as_json) return;
    fields["event"] = name;
    fields["v"] = 1;
    fields["ts"] = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    std::printf("%s\n", fields.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  }

  void failed(const Error& error) {
    std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(error.code)).c_str(), error.sentence.c_str());
    event("error", {{"code", std::string(code_name(error.code))}, {"message", error.sentence}});
    if (failures_ == 0) first_failure_ = error.code;
    ++failures_;
  }

  void file_done(const std::string& path, const TransferResult& result, std::uint64_t bytes) {
    ++files_;
    total_bytes_ += bytes;
    literal_ += result.literal_bytes;
    matched_ += result.matched_bytes + result.zero_bytes;
    round_trips_ = std::max(round_trips_, result.round_trips);
    last_ = result.version;
    event("file", {{"path", printable(path)}, {"bytes", bytes}, {"unchanged", result.unchanged}, {"root", to_hex(result.version.token.root)}});
  }

  int finish(bool transfers) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    const std::uint64_t sent = session_ ? session_->stream().bytes_written() : 0;
    const std::uint64_t received = session_ ? session_->stream().bytes_read() : 0;
    event("summary", {{"files", files_}, {"failed", failures_}, {"bytes_sent", sent}, {"bytes_received", received}, {"literal_bytes", literal_},
                      {"matched_bytes", matched_}, {"total_bytes", total_bytes_}, {"round_trips", round_trips_}, {"seconds", seconds},
                      {"version", last_ ? token_text(last_->token) : ""}, {"root", last_ ? to_hex(last_->token.root) : ""}});
    if (transfers && !options_.quiet && !options_.as_json) {
      const double wire = static_cast<double>(sent + received);
      std::printf("sent %s bytes  received %s bytes  %s bytes/sec\n", with_commas(sent).c_str(), with_commas(received).c_str(),
                  with_commas(static_cast<std::uint64_t>(wire / std::max(seconds, 1e-3))).c_str());
      std::printf("total size is %s  speedup is %.2f\n", with_commas(total_bytes_).c_str(), static_cast<double>(total_bytes_) / std::max(wire, 1.0));
    }
    std::fflush(stdout);
    if (failures_ == 0) return 0;
    return failures_ < files_ + failures_ ? 3 : exit_code(first_failure_);
  }

 private:
  Options options_;
  Loop loop_;
  std::shared_ptr<Session> session_;
  std::chrono::steady_clock::time_point started_;
  std::size_t files_ = 0;
  std::size_t failures_ = 0;
  Code first_failure_ = Code::kFailed;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t literal_ = 0;
  std::uint64_t matched_ = 0;
  std::uint32_t round_trips_ = 0;
  std::optional<Version> last_;
};

constexpr std::size_t kInFlight = 64;

struct Item {
  std::string local;
  std::string remote;
  int attempts = 0;
};

/// Uploads all items, at most kInFlight at once; a file that changed while it was read is tried once more.
void upload_all(Command& command, std::vector<Item> items) {
  std::size_t next = 0;
  std::size_t open = 0;
  const Toolbox toolbox{make_sha256, make_zstd_codec, system_random()};
  std::function<void()> pump = [&] {
    while (open < kInFlight && next < items.size()) {
      const std::size_t index = next++;
      const Item item = items[index];
      auto source = FileSource::open(item.local);
      if (!source) {
        command.failed(source.error());
        continue;
      }
      const auto file = *source;
      ++open;
      const auto done = [&, item, file](Result<TransferResult> result) {
        --open;
        const bool changed = result ? !file->unchanged() : result.error().code == Code::kSourceChanged ||
                                                               (result.error().code == Code::kIntegrity && !file->unchanged());
        if (changed && item.attempts == 0) {
          items.push_back({item.local, item.remote, 1});
        } else if (changed) {
          command.failed({Code::kSourceChanged, "'" + printable(item.local) + "' changed while it was read; try again when it is at rest."});
        } else if (result) {
          command.file_done(item.local, *result, file->size());
        } else {
          command.failed(result.error());
        }
        if (open == 0 && next == items.size()) command.loop().stop();
        pump();
      };
      auto opened = command.mux().open([&](StreamPort& port) {
        return make_upload(port, {item.remote, file, file->attributes()}, command.transfer_options(), toolbox, done, nullptr);
      });
      if (!opened) {
        --open;
        command.failed(opened.error());
      }
    }
  };
  pump();
  if (open > 0) command.loop().run();
}

int upload(const Options& options, std::vector<std::string> arguments) {
  Command command(options);
  const std::string target = arguments.back();
  arguments.pop_back();
  auto url = parse_url(target);
  if (!url) {
    command.failed(url.error());
    return 2;
  }
  const bool into_folder = url->path.empty() || url->path.ends_with('/');
  if (arguments.size() > 1 && !into_folder) {
    command.failed({Code::kUsage, "Several files need a folder as their target: end the address in '/'."});
    return 2;
  }
  std::vector<Item> items;
  for (const std::string& local : arguments) {
    const std::string remote = into_folder ? url->path + std::string(last_part(local)) : url->path;
    if (auto status = check_path(remote, RootAllowed::kNo); !status) {
      command.failed(status.error());
      return 2;
    }
    items.push_back({local, remote});
  }
  std::string spool;
  for (Item& item : items) {
    if (item.local != "-") continue;
    // A pipe has no second reading: what it gives is kept in an unlinked file first.
    char name[] = "/tmp/millrace-XXXXXX";
    const int descriptor = mkstemp(name);
    std::FILE* const file = descriptor < 0 ? nullptr : fdopen(descriptor, "wb");
    if (file == nullptr) {
      command.failed(system_error(errno, "A file for the input cannot be made in /tmp"));
      return 1;
    }
    spool = name;
    char block[65536];
    bool written = true;
    for (std::size_t got = 0; written && (got = std::fread(block, 1, sizeof block, stdin)) > 0;) written = std::fwrite(block, 1, got, file) == got;
    written = std::fclose(file) == 0 && written;
    if (!written) {
      std::remove(name);
      command.failed({Code::kQuota, "There is no room in /tmp for the input; nothing was sent."});
      return 14;
    }
    item.local = spool;
  }
  int result = 0;
  if (options.dry_run) {
    for (const Item& item : items) std::printf("would upload %s to %s\n", printable(item.local).c_str(), printable(item.remote).c_str());
  } else {
    if (auto status = command.connect(*url); !status) {
      command.failed(status.error());
    } else {
      upload_all(command, items);
    }
    result = command.finish(true);
  }
  if (!spool.empty()) std::remove(spool.c_str());
  return result;
}

int download(const Options& options, const std::string& address, std::string local) {
  Command command(options);
  auto url = parse_url(address);
  Status status = url ? check_path(url->path, RootAllowed::kNo) : Status(fail(url.error()));
  if (!status) {
    command.failed(status.error());
    return 2;
  }
  const bool to_stdout = local == "-";
  std::string spool;
  if (to_stdout) {
    char name[] = "/tmp/millrace-XXXXXX";
    const int descriptor = mkstemp(name);
    if (descriptor < 0) {
      command.failed(system_error(errno, "A file for the output cannot be made in /tmp"));
      return 1;
    }
    close(descriptor);
    spool = local = name;
  } else if (local.ends_with('/')) {
    local += last_part(url->path);
  }
  if (options.dry_run) {
    std::printf("would download %s to %s\n", printable(url->path).c_str(), printable(local).c_str());
    return 0;
  }
  if (status = command.connect(*url); !status) {
    command.failed(status.error());
    return command.finish(true);
  }
  std::shared_ptr<FileSource> basis;
  if (auto source = FileSource::open(local)) {
    basis = *source;
  } else if (source.error().code != Code::kNotFound) {
    command.failed(source.error());
    return command.finish(true);
  }
  const Random random = system_random();
  const Toolbox toolbox{make_sha256, make_zstd_codec, random};
  DownloadTarget target;
  target.path = url->path;
  target.basis = basis;
  target.open_draft = [local, basis, draft_id = random()](std::shared_ptr<const ChunkList> chunks) {
    return open_file_draft(local, basis, std::move(chunks), draft_id);
  };
  const auto done = [&](Result<TransferResult> result) {
    if (result && result->unchanged) {
      if (auto set = set_attributes(local, result->version.attributes); !set) result = fail(set.error());
    }
    if (result) {
      command.file_done(url->path, *result, result->version.bytes);
    } else {
      command.failed(result.error());
    }
    command.loop().stop();
  };
  bool over = false;
  auto opened = command.mux().open([&](StreamPort& port) {
    return make_download(port, std::move(target), command.transfer_options(), toolbox, [&](Result<TransferResult> result) {
      over = true;
      done(std::move(result));
    }, nullptr);
  });
  if (!opened) command.failed(opened.error());
  if (opened && !over) command.loop().run();
  if (to_stdout) {
    Options quiet = options;
    if (std::FILE* const file = std::fopen(spool.c_str(), "rb")) {
      char block[65536];
      for (std::size_t got = 0; (got = std::fread(block, 1, sizeof block, file)) > 0;) std::fwrite(block, 1, got, stdout);
      std::fclose(file);
    }
    std::remove(spool.c_str());
    return command.finish(false);
  }
  return command.finish(true);
}

/// Sends one request and waits for its answer.
template <typename Reply>
Result<Reply> ask(Command& command, const std::function<std::shared_ptr<Conversation>(StreamPort&, std::function<void(Result<Reply>)>)>& make) {
  std::optional<Result<Reply>> answer;
  auto opened = command.mux().open([&](StreamPort& port) {
    return make(port, [&](Result<Reply> reply) {
      answer = std::move(reply);
      command.loop().stop();
    });
  });
  if (!opened) return fail(opened.error());
  if (!answer) command.loop().run();
  if (!answer) return fail(Code::kNetwork, "The connection ended before the answer came; try again.");
  return *answer;
}

int query(const Options& options, const std::string& name, const std::vector<std::string>& arguments) {
  Command command(options);
  auto url = parse_url(arguments[0]);
  Status status = url ? Status() : Status(fail(url.error()));
  if (status) {
    while (name == "list" && url->path.ends_with('/')) url->path.pop_back();
    status = check_path(url->path, name == "list" || name == "stat" ? RootAllowed::kYes : RootAllowed::kNo);
  }
  std::string move_to;
  if (status && name == "move") {
    move_to = arguments[1];
    if (move_to.starts_with("millrace://")) {
      auto other = parse_url(move_to);
      if (!other) status = fail(other.error());
      else if (other->host != url->host || other->port != url->port) status = fail(Code::kUsage, "A file can be moved on one server only; upload it to the other one.");
      else move_to = other->path;
    }
    if (status) status = check_path(move_to, RootAllowed::kNo);
  }
  if (!status) {
    command.failed(status.error());
    return 2;
  }
  if (status = command.connect(*url); !status) {
    command.failed(status.error());
    return command.finish(false);
  }
  const auto show = [&](const wire::EntryMessage& entry) {
    const char kind = entry.kind == 1 ? 'd' : entry.kind == 2 ? 'l' : '-';
    if (options.as_json) {
      command.event("entry", {{"path", printable(entry.path)}, {"kind", std::string(1, kind)}, {"bytes", entry.version.bytes},
                              {"mtime_ns", entry.version.attributes.mtime_ns}, {"mode", entry.version.attributes.mode},
                              {"root", entry.version.token.root.is_zero() ? "" : to_hex(entry.version.token.root)}});
      return;
    }
    std::printf("%c%03o %15s %s\n", kind, entry.version.attributes.mode, with_commas(entry.version.bytes).c_str(), printable(entry.path).c_str());
  };
  if (name == "list") {
    wire::List request;
    request.path = url->path;
    request.recursive = options.recursive;
    for (;;) {
      auto entries = ask<wire::Entries>(command, [&](StreamPort& port, auto done) { return make_query(port, request, done); });
      if (!entries) {
        command.failed(entries.error());
        break;
      }
      for (const auto& entry : entries->entries) show(entry);
      if (entries->next_cursor.empty()) break;
      request.cursor = entries->next_cursor;
    }
  } else if (name == "stat") {
    wire::Stat request;
    request.paths = {url->path};
    auto entries = ask<wire::Entries>(command, [&](StreamPort& port, auto done) { return make_query(port, request, done); });
    if (!entries) {
      command.failed(entries.error());
    } else {
      for (const auto& entry : entries->entries) {
        if (entry.error != 0) command.failed({code_from_wire(entry.error), printable(entry.sentence)});
        else show(entry);
      }
    }
  } else {
    auto reply = ask<wire::Done>(command, [&](StreamPort& port, auto done) -> std::shared_ptr<Conversation> {
      if (name == "delete") {
        wire::Delete request;
        request.path = url->path;
        request.recursive = options.recursive;
        return make_request(port, request, done);
      }
      if (name == "move") return make_request(port, wire::Move{url->path, move_to, options.force}, done);
      return make_request(port, wire::Verify{url->path}, done);
    });
    if (!reply) {
      command.failed(reply.error());
    } else if (!options.quiet && !options.as_json) {
      std::printf("%s: %s\n", printable(url->path).c_str(), name == "verify" ? "intact" : name == "delete" ? "deleted" : "moved");
    }
  }
  return command.finish(false);
}

}  // namespace

int run_command_line(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("millrace: keeps files in step with a server and sends only what changed");
  app.require_subcommand(1);
  Options options;
  std::vector<std::string> arguments;
  const auto command = [&](const char* name, const char* alias, const char* help, int count) {
    auto* const sub = app.add_subcommand(name, help);
    if (*alias != '\0') sub->alias(alias);
    auto* const positional = sub->add_option("arguments", arguments, "files and addresses millrace://HOST:PORT/PATH")->required();
    if (count > 0) positional->expected(count); else positional->expected(2, -1);
    sub->add_flag("-q,--quiet", options.quiet, "say nothing but errors");
    sub->add_flag("--json", options.as_json, "events as JSON, one a line");
    return sub;
  };
  for (auto* const sub : {command("upload", "put", "upload LOCAL... URL; a delta by itself", 0), command("download", "get", "download URL LOCAL", 2)}) {
    sub->add_option("--depth", options.depth, "rungs of the ladder: 0, 1, 2, ... or full")->check([](const std::string& value) {
      const bool number = !value.empty() && value.size() < 4 && value.find_first_not_of("0123456789") == std::string::npos;
      return number || value == "full" ? std::string() : "'" + value + "' is not a depth; write a number or full";
    });
    sub->add_flag("--whole-file", options.whole_file, "no delta");
    sub->add_flag("-n,--dry-run", options.dry_run, "say what would be done");
    sub->add_flag("--force", options.force, "replace whatever is there");
  }
  command("list", "ls", "list URL", 1)->add_flag("-r,--recursive", options.recursive, "folders too");
  command("stat", "", "stat URL", 1);
  command("delete", "rm", "delete URL", 1)->add_flag("-r,--recursive", options.recursive, "folders too");
  command("move", "mv", "move URL NEWPATH", 2)->add_flag("--force", options.force, "replace what is there");
  command("verify", "", "have the server read a file again and compare it", 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const std::string name = app.get_subcommands().front()->get_name();
  if (name == "upload") return upload(options, arguments);
  if (name == "download") return download(options, arguments[0], arguments[1]);
  return query(options, name, arguments);
}

}  // namespace millrace
