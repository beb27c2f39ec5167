// The two honest sides for the targets of the multiplexer: a server with a few files in memory, and a client that does
// one of several things.
#pragma once

#include <array>

#include "codec/zstd_codec.h"
#include "fuzz/mux_peer.h"
#include "support/bytes.h"
#include "support/edits.h"
#include "support/memory_download.h"
#include "support/memory_store.h"
#include "sync/download_attempts.h"
#include "sync/query_client.h"
#include "sync/server_conversations.h"
#include "sync/upload_client.h"

namespace millrace::fuzz {

constexpr std::uint64_t kMostFileBytes = 2u << 20;

inline Toolbox toolbox() {
  return {make_sha256, make_zstd_codec, SeededRandom(7)};
}

inline const Buffer& old_content() {
  static const Buffer content = [] {
    Buffer out = test::random_text(60'000, 1);
    append(out, Buffer(70'000, Byte{0}));
    append(out, test::random_bytes(9'000, 2));
    return out;
  }();
  return content;
}

inline const Buffer& new_content() {
  static const Buffer content = [] {
    Buffer out = old_content();
    for (const std::size_t at : {5'000u, 55'000u, 90'000u}) out[at] ^= 0x55;
    append(out, test::random_text(3'000, 9));
    return out;
  }();
  return content;
}

struct ServerSession {
  ServerSession()
      : store(std::make_shared<test::MemoryStore>(kMostFileBytes)),
        context{store, toolbox(), 3, kMatchMarginBits, std::make_shared<SignatureCache>(1u << 16)},
        side(Mux::Role::kServer, [this](FrameType type, ByteView payload, StreamPort& port) {
          return make_server_conversation(context, {}, type, payload, port);
        }) {
    store->put("file", old_content(), {1, 0644});
    store->put("folder/small", test::random_text(300, 5));
    store->put("folder/empty", {});
  }
  std::shared_ptr<test::MemoryStore> store;
  ServerContext context;
  MuxSide side;
};

/// Does what `scenario` says as soon as it is made.
class ClientSession {
 public:
  static constexpr Byte kScenarios = 8;
  explicit ClientSession(Byte scenario) : side(Mux::Role::kClient, nullptr) { begin(scenario); }

  /// Once the connection has ended.
  void check() const {
    require(ended == begun, "whoever waits for an answer is told once that there is one or none");
    if (downloaded && !downloaded->unchanged)
      require(build_tree(test::chunks_of(built), *make_sha256()).root == downloaded->version.token.root,
              "what was downloaded is the version that the server named");
  }

  MuxSide side;
  std::size_t begun = 0;
  std::size_t ended = 0;
  Buffer built;
  std::optional<TransferResult> downloaded;

 private:
  static TransferOptions at_depth(std::uint32_t depth) {
    TransferOptions options;
    options.max_depth = depth;
    return options;
  }
  void begin(Byte scenario) {
    TransferOptions whole;
    whole.whole_file = true;
    switch (scenario % kScenarios) {
      case 0:
        return upload("file", new_content(), {});
      case 1:
        return upload("new", new_content(), whole);
      case 2:
        return upload("folder/small", test::random_text(310, 5), at_depth(3));
      case 3:
        return download(new_content(), {});
      case 4:
        return download({}, {});
      case 5:
        return download(new_content(), at_depth(0));
      case 6:
        query(wire::List{"folder", true, "", 2});
        query(wire::Stat{{"file", "nowhere"}});
        return query(wire::Changes{0, 10});
      default:
        request(wire::Move{"folder/small", "moved", false});
        request(wire::Delete{"folder/empty", false, Expected{}});
        return request(wire::Verify{"file"});
    }
  }
  void upload(const std::string& path, const Buffer& content, const TransferOptions& options) {
    ++begun;
    const auto opened = side.mux.open([&](StreamPort& port) {
      return make_upload(
          port, {path, std::make_shared<BufferSource>(content), {1'000'000'000, 0644}}, options, toolbox(),
          [this](const Result<TransferResult>&) { ++ended; }, nullptr);
    });
    require(opened.has_value(), "a stream can be opened before HELLO");
  }
  void download(const Buffer& basis, const TransferOptions& options) {
    ++begun;
    built = basis;
    DownloadTarget target;
    target.path = "file";
    if (!basis.empty()) target.basis = std::make_shared<BufferSource>(basis);
    target.open_draft = [this](const auto& source, const auto& chunks) {
      return test::open_memory_download(source, chunks, built, kMostFileBytes);
    };
    const auto begun_one =
        begin_download([this](const auto& make) { return side.mux.open(make); }, target, options, toolbox(),
                       [this](const Result<TransferResult>& result) {
                         ++ended;
                         if (result) downloaded = *result;
                       },
                       nullptr);
    require(begun_one.has_value(), "a stream can be opened before HELLO");
  }
  template <typename Query>
  void query(const Query& message) {
    ++begun;
    const auto opened = side.mux.open(
        [&](StreamPort& port) { return make_query(port, message, [this](const Result<wire::Entries>&) { ++ended; }); });
    require(opened.has_value(), "a stream can be opened before HELLO");
  }
  template <typename Request>
  void request(const Request& message) {
    ++begun;
    const auto opened = side.mux.open(
        [&](StreamPort& port) { return make_request(port, message, [this](const Result<wire::Done>&) { ++ended; }); });
    require(opened.has_value(), "a stream can be opened before HELLO");
  }
};

/// What the two sides say to each other, as records for a fuzz target that plays the other one.
struct Recorded {
  Buffer to_server;
  Buffer to_client;
};

inline Recorded record(Byte scenario) {
  Recorded out;
  Recorder to_server(out.to_server);
  Recorder to_client(out.to_client);
  ServerSession server;
  ClientSession client(scenario);
  for (;;) {
    const Buffer said = client.side.run_all();
    to_server.flight(said);
    require(server.side.feed(said), "an honest client is understood");
    const Buffer answered = server.side.run_all();
    to_client.flight(answered);
    require(client.side.feed(answered), "an honest server is understood");
    if (said.empty() && answered.empty()) break;
  }
  require(client.ended == client.begun, "an honest session comes to its end");
  return out;
}

}  // namespace millrace::fuzz
