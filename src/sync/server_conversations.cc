#include "sync/server_conversations.h"

#include <algorithm>

#include "base/path.h"
#include "sync/download_server.h"
#include "sync/small_upload_server.h"
#include "sync/upload_server.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMaxListing = 1000;
constexpr std::size_t kMaxStatPaths = 1000;

/// A request that one store call answers: the call runs on a worker, its reply is one message.
template <typename Reply>
class StoreRequest final : public Conversation {
 public:
  using Call = std::function<Result<Reply>(Store&)>;
  explicit StoreRequest(StreamPort& port) : port_(port) {}
  void start(std::shared_ptr<Store> store, Lane lane, Call call) {
    auto reply = std::make_shared<Result<Reply>>(Reply());
    port_.run(
        lane, [reply, store = std::move(store), call = std::move(call)] { *reply = call(*store); },
        [this, reply] {
          if (!*reply) return port_.fail(reply->error());
          port_.send_last(**reply);
        });
  }
  Status on_message(FrameType, ByteView) override {
    return fail(Code::kProtocol, "This request takes no further messages.");
  }
  Status on_data(ByteView) override { return fail(Code::kProtocol, "This request takes no bytes."); }
  void on_closed(const Error&) override {}

 private:
  StreamPort& port_;
};

template <typename Reply>
std::shared_ptr<Conversation> answer(StreamPort& port, const ServerContext& context, Lane lane,
                                     typename StoreRequest<Reply>::Call call) {
  auto request = std::make_shared<StoreRequest<Reply>>(port);
  request->start(context.store, lane, std::move(call));
  return request;
}

wire::EntryMessage to_message(const Entry& entry) {
  wire::EntryMessage message;
  message.path = entry.path;
  message.kind = static_cast<std::uint32_t>(entry.kind);
  message.version = entry.version;
  return message;
}

Result<wire::Entries> stat_all(Store& store, const Principal& principal, const std::vector<std::string>& paths) {
  wire::Entries out;
  for (const std::string& path : paths) {
    const auto entry = store.stat(principal, path);
    wire::EntryMessage message;
    if (entry) {
      message = to_message(*entry);
    } else {
      message.error = static_cast<std::uint32_t>(entry.error().code);
      message.sentence = entry.error().sentence;
    }
    message.path = path;
    out.entries.push_back(std::move(message));
  }
  return out;
}

/// Entries as long as one message has room for them.
class Page {
 public:
  /// False: it does not fit any more, the next page goes on from the last entry that did. The first always fits.
  bool add(wire::EntryMessage message) {
    bytes_ += message.path.size() + kRoomForFields;
    if (bytes_ > kMaxFramePayload / 2 && !entries_.empty()) return false;
    entries_.push_back(std::move(message));
    return true;
  }
  wire::Entries take(std::string next_cursor) { return {std::move(entries_), std::move(next_cursor)}; }

 private:
  static constexpr std::size_t kRoomForFields = 128;
  std::vector<wire::EntryMessage> entries_;
  std::size_t bytes_ = 0;
};

std::size_t page_limit(std::uint64_t asked) {
  return std::clamp<std::uint64_t>(asked, 1, kMaxListing);
}

Result<wire::Entries> list(Store& store, const Principal& principal, const wire::List& request) {
  const Recursive recursive = request.recursive ? Recursive::kYes : Recursive::kNo;
  MILLRACE_ASSIGN(const Listing listing,
                  store.list(principal, request.path, recursive, request.cursor, page_limit(request.limit)));
  Page page;
  std::string last;
  for (const Entry& entry : listing.entries) {
    if (!page.add(to_message(entry))) return page.take(std::move(last));
    last = entry.path;
  }
  return page.take(listing.next_cursor);
}

Result<wire::Entries> changes(Store& store, const Principal& principal, const wire::Changes& request) {
  MILLRACE_ASSIGN(const auto found, store.changes(principal, request.since, page_limit(request.limit)));
  Page page;
  for (const Change& change : found) {
    wire::EntryMessage message;
    message.path = change.path;
    message.kind = change.version ? 0 : 255;
    if (change.version) message.version = *change.version;
    message.version.token.sequence = change.sequence;
    if (!page.add(std::move(message))) break;
  }
  return page.take({});
}

Result<wire::Entries> list_trash(Store& store, const Principal& principal, const wire::ListTrash& request) {
  MILLRACE_ASSIGN(const TrashListing listing,
                  store.list_trash(principal, request.path, request.cursor, page_limit(request.limit)));
  Page page;
  std::string last;
  for (const TrashedEntry& trashed : listing.entries) {
    wire::EntryMessage message = to_message(trashed.entry);
    message.trashed_ns = trashed.trashed_ns;
    if (!page.add(std::move(message))) return page.take(std::move(last));
    last = trashed.cursor;
  }
  return page.take(listing.next_cursor);
}

}  // namespace

Result<std::shared_ptr<Conversation>> make_server_conversation(const ServerContext& context, const Principal& principal,
                                                               FrameType type, ByteView payload, StreamPort& port) {
  switch (type) {
    case FrameType::kUpload: {
      MILLRACE_ASSIGN(wire::Upload request, wire::decode<wire::Upload>(payload));
      MILLRACE_TRY(check_path(request.path, RootAllowed::kNo));
      if (is_small_upload(request)) return make_small_upload_server(port, context, principal, std::move(request));
      return make_upload_server(port, context, principal, UploadKind::kWhole, std::move(request));
    }
    case FrameType::kUploadDelta: {
      MILLRACE_ASSIGN(wire::UploadDelta request, wire::decode<wire::UploadDelta>(payload));
      MILLRACE_TRY(check_path(request.path, RootAllowed::kNo));
      return make_upload_server(port, context, principal, UploadKind::kDelta, std::move(request));
    }
    case FrameType::kDownload: {
      MILLRACE_ASSIGN(wire::Download request, wire::decode<wire::Download>(payload));
      MILLRACE_TRY(check_path(request.path, RootAllowed::kNo));
      return make_download_server(port, context, principal, std::move(request));
    }
    case FrameType::kList: {
      MILLRACE_ASSIGN(const wire::List request, wire::decode<wire::List>(payload));
      MILLRACE_TRY(check_path(request.path, RootAllowed::kYes));
      return answer<wire::Entries>(port, context, Lane::kCatalogue,
                                   [principal, request](Store& store) { return list(store, principal, request); });
    }
    case FrameType::kStat: {
      MILLRACE_ASSIGN(const wire::Stat request, wire::decode<wire::Stat>(payload));
      if (request.paths.size() > kMaxStatPaths)
        return fail(Code::kTooLarge, "One STAT takes at most 1000 paths; send several.");
      for (const std::string& path : request.paths) MILLRACE_TRY(check_path(path, RootAllowed::kYes));
      return answer<wire::Entries>(port, context, Lane::kCatalogue, [principal, request](Store& store) {
        return stat_all(store, principal, request.paths);
      });
    }
    case FrameType::kChanges: {
      MILLRACE_ASSIGN(const wire::Changes request, wire::decode<wire::Changes>(payload));
      return answer<wire::Entries>(port, context, Lane::kCatalogue,
                                   [principal, request](Store& store) { return changes(store, principal, request); });
    }
    case FrameType::kDelete: {
      MILLRACE_ASSIGN(const wire::Delete request, wire::decode<wire::Delete>(payload));
      MILLRACE_TRY(check_path(request.path, RootAllowed::kNo));
      return answer<wire::Done>(
          port, context, Lane::kCatalogue, [principal, request](Store& store) -> Result<wire::Done> {
            MILLRACE_TRY(store.remove(principal, request.path, request.recursive ? Recursive::kYes : Recursive::kNo,
                                      request.expected.value_or(Expected{})));
            return wire::Done{};
          });
    }
    case FrameType::kMove: {
      MILLRACE_ASSIGN(const wire::Move request, wire::decode<wire::Move>(payload));
      MILLRACE_TRY(check_path(request.from, RootAllowed::kNo));
      MILLRACE_TRY(check_path(request.to, RootAllowed::kNo));
      return answer<wire::Done>(
          port, context, Lane::kCatalogue, [principal, request](Store& store) -> Result<wire::Done> {
            MILLRACE_TRY(store.move(principal, request.from, request.to, request.force ? Force::kYes : Force::kNo));
            return wire::Done{};
          });
    }
    case FrameType::kVerify: {
      MILLRACE_ASSIGN(const wire::Verify request, wire::decode<wire::Verify>(payload));
      MILLRACE_TRY(check_path(request.path, RootAllowed::kNo));
      return answer<wire::Done>(port, context, Lane::kDisk, [principal, request](Store& store) -> Result<wire::Done> {
        MILLRACE_ASSIGN(const Version version, store.verify(principal, request.path));
        wire::Done done;
        done.version = version;
        return done;
      });
    }
    case FrameType::kListTrash: {
      MILLRACE_ASSIGN(const wire::ListTrash request, wire::decode<wire::ListTrash>(payload));
      MILLRACE_TRY(check_path(request.path, RootAllowed::kYes));
      return answer<wire::Entries>(port, context, Lane::kCatalogue, [principal, request](Store& store) {
        return list_trash(store, principal, request);
      });
    }
    case FrameType::kRestore: {
      MILLRACE_ASSIGN(const wire::Restore request, wire::decode<wire::Restore>(payload));
      const std::string to = request.to.empty() ? request.path : request.to;
      MILLRACE_TRY(check_path(request.path, RootAllowed::kNo));
      MILLRACE_TRY(check_path(to, RootAllowed::kNo));
      return answer<wire::Done>(
          port, context, Lane::kDisk, [principal, request, to](Store& store) -> Result<wire::Done> {
            MILLRACE_ASSIGN(const Version version, store.restore(principal, request.path, request.trashed_ns, to,
                                                                 request.force ? Force::kYes : Force::kNo));
            wire::Done done;
            done.version = version;
            return done;
          });
    }
    default:
      return fail(Code::kProtocol, "A stream must begin with a request.");
  }
}

}  // namespace millrace
