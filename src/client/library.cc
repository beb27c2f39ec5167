// libmillrace: the conversations of sync on a session of the caller's loop, behind types that need no other header.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/address.h"
#include "base/path.h"
#include "client/credentials.h"
#include "client/dial.h"
#include "client/file_draft.h"
#include "codec/sha256.h"
#include "codec/zstd_codec.h"
#include "millrace/millrace.h"
#include "session/session.h"
#include "sync/download_attempts.h"
#include "sync/query_client.h"
#include "sync/upload_client.h"

namespace millrace::client {

namespace {

Error to_public(const millrace::Error& error) {
  return {static_cast<ErrorCode>(error.code), std::string(code_name(error.code)), error.sentence};
}

template <typename T>
Outcome<T> failed(const millrace::Error& error) {
  return {std::nullopt, to_public(error)};
}

TransferOptions to_transfer(const Options& options) {
  TransferOptions transfer;
  transfer.max_depth = options.max_depth;
  if (options.level) transfer.level = std::clamp(*options.level, 1, 19);
  transfer.whole_file = options.whole_file;
  if (options.force) transfer.expected = Expected{};
  return transfer;
}

TransferObserver to_observer(ProgressCallback progress) {
  if (!progress) return nullptr;
  return [progress = std::move(progress)](const TransferProgress& now) {
    progress({now.phase, now.done_bytes, now.total_bytes});
  };
}

Transfer to_public(const TransferResult& result) {
  Transfer transfer;
  transfer.root = to_hex(result.version.token.root);
  transfer.bytes = result.version.bytes;
  transfer.literal_bytes = result.literal_bytes;
  transfer.matched_bytes = result.matched_bytes + result.zero_bytes;
  transfer.round_trips = result.round_trips;
  transfer.unchanged = result.unchanged;
  return transfer;
}

Entry to_public(const wire::EntryMessage& message) {
  Entry entry;
  entry.path = message.path;
  entry.kind = static_cast<Entry::Kind>(message.kind);
  entry.bytes = message.version.bytes;
  entry.mtime_ns = message.version.attributes.mtime_ns;
  entry.mode = message.version.attributes.mode;
  if (!message.version.token.root.is_zero()) entry.root = to_hex(message.version.token.root);
  return entry;
}

}  // namespace

struct Operation::State {
  std::weak_ptr<Session> session;
  std::uint32_t stream = 0;
};

void Operation::cancel() {
  if (const auto session = state_ ? state_->session.lock() : nullptr) session->mux().cancel(state_->stream);
}

struct Client::Impl {
  explicit Impl(uv_loop_s* raw) : loop(raw) {}
  void connect(const Url& server, const std::string& token);

  /// Begins what opens one stream after the other, or reports why it cannot begin.
  template <typename T, typename Begin>
  Operation begin_with(const DoneCallback<T>& done, const Begin& begin) {
    Operation operation;
    if (lost) {
      done(failed<T>(*lost));
      return operation;
    }
    operation.state_ = std::make_shared<Operation::State>(Operation::State{session});
    const Status begun = begin([state = operation.state_](const auto& make) -> Result<std::uint32_t> {
      const auto session = state->session.lock();
      if (!session) return fail(Code::kCancelled, "The client was closed.");
      MILLRACE_ASSIGN(state->stream, session->mux().open(make));
      return state->stream;
    });
    if (!begun) {
      done(failed<T>(begun.error()));
      return {};
    }
    return operation;
  }

  /// Opens a stream for a conversation, or reports why there is none.
  template <typename T, typename Make>
  Operation begin(const DoneCallback<T>& done, const Make& make) {
    return begin_with<T>(done, [&](const OpenStream& open) -> Status {
      const auto opened = open(make);
      if (!opened) return fail(opened.error());
      return {};
    });
  }

  template <typename Request>
  Operation request(const Status& checked, const Request& message, DoneCallback<Nothing> done) {
    if (!checked) {
      done(failed<Nothing>(checked.error()));
      return {};
    }
    return begin<Nothing>(done, [&](StreamPort& port) {
      return make_request(port, message, [done](Result<wire::Done> reply) {
        done(reply ? Outcome<Nothing>{Nothing{}, {}} : failed<Nothing>(reply.error()));
      });
    });
  }

  Loop loop;
  Toolbox toolbox{make_sha256, make_zstd_codec, system_random()};
  PartialDownloads partials;
  std::shared_ptr<Session> session;
  std::optional<millrace::Error> lost;
};

Client::Client(uv_loop_s* loop, const std::string& address) : impl_(std::make_unique<Impl>(loop)) {
  const auto url = parse_url(address);
  if (!url) {
    impl_->lost = url.error();
    return;
  }
  const auto token = find_token(*url, {});
  if (token) {
    impl_->connect(*url, token->value_or(""));
  } else {
    impl_->lost = token.error();
  }
}

Client::Client(uv_loop_s* loop, const std::string& address, const std::string& token)
    : impl_(std::make_unique<Impl>(loop)) {
  const auto url = parse_url(address);
  if (url) {
    impl_->connect(*url, token);
  } else {
    impl_->lost = url.error();
  }
}

void Client::Impl::connect(const Url& server, const std::string& token) {
  Impl* const impl = this;
  const Url* const url = &server;
  auto dialled = dial(impl->loop, *url, {});
  if (!dialled) {
    impl->lost = dialled.error();
    return;
  }
  impl->session = std::make_shared<Session>(impl->loop, std::move(dialled->stream), Mux::Role::kClient, nullptr,
                                            [impl](const millrace::Error& error) { impl->lost = error; });
  // The callback does not come once the stream is closed, and the stream is closed with the Client.
  if (!token.empty()) impl->session->mux().authenticate(token);
  dialled->tcp->connect(url->host, url->port, [impl](Status connected) {
    if (connected)
      impl->session->start();
    else
      impl->session->close(connected.error());
  });
}

Client::~Client() {
  if (impl_->session) impl_->session->close({Code::kCancelled, "The client was closed."});
}

Operation Client::upload(const std::string& local, const std::string& remote, const Options& options,
                         ProgressCallback progress, DoneCallback<Transfer> done) {
  const auto checked = check_path(remote, RootAllowed::kNo);
  auto source = checked ? FileSource::open(local) : Result<std::shared_ptr<FileSource>>(fail(checked.error()));
  if (!source) {
    done(failed<Transfer>(source.error()));
    return {};
  }
  const auto file = *source;
  return impl_->begin<Transfer>(done, [&](StreamPort& port) {
    const auto ended = [file, local, done](const Result<TransferResult>& result) {
      const bool torn = result || result.error().code == Code::kIntegrity;
      if (torn && !file->unchanged()) {
        done(failed<Transfer>({Code::kSourceChanged,
                               "'" + printable(local) + "' changed while it was read; try again when it is at rest."}));
      } else if (result) {
        Transfer transfer = to_public(*result);
        transfer.bytes = file->size();
        done({std::move(transfer), {}});
      } else {
        done(failed<Transfer>(result.error()));
      }
    };
    return make_upload(port, {remote, file, file->attributes()}, to_transfer(options), impl_->toolbox, ended,
                       to_observer(std::move(progress)));
  });
}

Operation Client::download(const std::string& remote, const std::string& local, const Options& options,
                           ProgressCallback progress, DoneCallback<Transfer> done) {
  DownloadTarget target;
  target.path = remote;
  DraftPlace what{nullptr, nullptr, impl_->toolbox.random()};
  std::optional<millrace::Error> refused;
  if (const auto checked = check_path(remote, RootAllowed::kNo); !checked) refused = checked.error();
  if (!refused) {
    if (auto source = FileSource::open(local)) {
      what.replaced = *source;
    } else if (source.error().code != Code::kNotFound) {
      refused = source.error();
    }
  }
  if (refused) {
    done(failed<Transfer>(*refused));
    return {};
  }
  if (const auto place = place_of(local)) what.partial = impl_->partials.of(*place);
  set_basis(target, what);
  target.on_cut = [impl = impl_.get()](std::function<void()> work) {
    impl->loop.run_job(Workers::kDisk, std::move(work), [] {});
  };
  target.open_draft = [local, what](std::shared_ptr<const Source> basis, std::shared_ptr<const ChunkList> chunks) {
    return open_file_draft(local, what, std::move(basis), std::move(chunks));
  };
  return impl_->begin_with<Transfer>(done, [&](OpenStream open) {
    const auto ended = [local, done](Result<TransferResult> result) {
      if (result && result->unchanged) {
        if (auto set = set_attributes(local, result->version.attributes); !set) result = fail(set.error());
      }
      done(result ? Outcome<Transfer>{to_public(*result), {}} : failed<Transfer>(result.error()));
    };
    return begin_download(std::move(open), std::move(target), to_transfer(options), impl_->toolbox, ended,
                          to_observer(std::move(progress)));
  });
}

Operation Client::list(const std::string& remote, bool recursive, const std::string& cursor,
                       DoneCallback<Listing> done) {
  if (const auto checked = check_path(remote, RootAllowed::kYes); !checked) {
    done(failed<Listing>(checked.error()));
    return {};
  }
  wire::List message;
  message.path = remote;
  message.recursive = recursive;
  message.cursor = cursor;
  return impl_->begin<Listing>(done, [&](StreamPort& port) {
    return make_query(port, message, [done](Result<wire::Entries> reply) {
      if (!reply) return done(failed<Listing>(reply.error()));
      Listing listing;
      for (const auto& entry : reply->entries) listing.entries.push_back(to_public(entry));
      listing.next_cursor = reply->next_cursor;
      done({std::move(listing), {}});
    });
  });
}

Operation Client::stat(const std::string& remote, DoneCallback<Entry> done) {
  if (const auto checked = check_path(remote, RootAllowed::kYes); !checked) {
    done(failed<Entry>(checked.error()));
    return {};
  }
  wire::Stat message;
  message.paths = {remote};
  return impl_->begin<Entry>(done, [&](StreamPort& port) {
    return make_query(port, message, [done](Result<wire::Entries> reply) {
      if (!reply) return done(failed<Entry>(reply.error()));
      if (reply->entries.size() != 1)
        return done(
            failed<Entry>({Code::kProtocol, "The server did not answer for the one path that it was asked for."}));
      const auto& entry = reply->entries.front();
      if (entry.error != 0) return done(failed<Entry>({code_from_wire(entry.error), entry.sentence}));
      done({to_public(entry), {}});
    });
  });
}

Operation Client::remove(const std::string& remote, bool recursive, DoneCallback<Nothing> done) {
  wire::Delete message;
  message.path = remote;
  message.recursive = recursive;
  return impl_->request(check_path(remote, RootAllowed::kNo), message, std::move(done));
}

Operation Client::move(const std::string& from, const std::string& to, bool force, DoneCallback<Nothing> done) {
  auto checked = check_path(from, RootAllowed::kNo);
  if (checked) checked = check_path(to, RootAllowed::kNo);
  return impl_->request(checked, wire::Move{from, to, force}, std::move(done));
}

Operation Client::verify(const std::string& remote, DoneCallback<Nothing> done) {
  return impl_->request(check_path(remote, RootAllowed::kNo), wire::Verify{remote}, std::move(done));
}

std::uint64_t Client::bytes_sent() const {
  return impl_->session ? impl_->session->stream().bytes_written() : 0;
}
std::uint64_t Client::bytes_received() const {
  return impl_->session ? impl_->session->stream().bytes_read() : 0;
}

namespace {

/// Runs one call on a loop of its own until it has ended.
template <typename T, typename Begin>
Outcome<T> block(const std::string& address, const Begin& begin) {
  Loop loop;
  Outcome<T> outcome;
  Client client(loop.raw(), address);
  bool ended = false;
  begin(client, [&](Outcome<T> result) {
    outcome = std::move(result);
    ended = true;
    loop.stop();
  });
  while (!ended) loop.run();
  return outcome;
}

}  // namespace

Outcome<Transfer> upload(const std::string& address, const std::string& local, const std::string& remote,
                         const Options& options) {
  return block<Transfer>(address,
                         [&](Client& client, auto done) { client.upload(local, remote, options, nullptr, done); });
}
Outcome<Transfer> download(const std::string& address, const std::string& remote, const std::string& local,
                           const Options& options) {
  return block<Transfer>(address,
                         [&](Client& client, auto done) { client.download(remote, local, options, nullptr, done); });
}
Outcome<Listing> list(const std::string& address, const std::string& remote, bool recursive,
                      const std::string& cursor) {
  return block<Listing>(address, [&](Client& client, auto done) { client.list(remote, recursive, cursor, done); });
}
Outcome<Entry> stat(const std::string& address, const std::string& remote) {
  return block<Entry>(address, [&](Client& client, auto done) { client.stat(remote, done); });
}
Outcome<Nothing> remove(const std::string& address, const std::string& remote, bool recursive) {
  return block<Nothing>(address, [&](Client& client, auto done) { client.remove(remote, recursive, done); });
}
Outcome<Nothing> move(const std::string& address, const std::string& from, const std::string& to, bool force) {
  return block<Nothing>(address, [&](Client& client, auto done) { client.move(from, to, force, done); });
}
Outcome<Nothing> verify(const std::string& address, const std::string& remote) {
  return block<Nothing>(address, [&](Client& client, auto done) { client.verify(remote, done); });
}

}  // namespace millrace::client
