#include "sync/download_server.h"

#include <algorithm>
#include <unordered_set>

#include "delta/tree_exchange.h"
#include "sync/bulk.h"
#include "sync/patch_sender.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMaxBitsBytes = 1u << 20;

/// The stages: open the target; answer with its version; (tree exchange); send the patch; DONE.
class DownloadServer final : public Conversation {
 public:
  DownloadServer(StreamPort& port, const ServerContext& context, const Principal& principal, wire::Download request)
      : port_(port), context_(context), principal_(principal), request_(std::move(request)) {}

  void start() {
    struct Opened {
      Result<std::shared_ptr<const StoredFile>> file = nullptr;
      Result<std::shared_ptr<const ChunkList>> chunks = nullptr;
      ChunkTree tree;
    };
    auto opened = std::make_shared<Opened>();
    port_.run(
        Lane::kCatalogue,
        [opened, store = context_.store, principal = principal_, path = request_.path, factory = context_.toolbox.hasher] {
          opened->file = store->open(principal, path);
          if (!opened->file) return;
          opened->chunks = (*opened->file)->chunks();
          if (!opened->chunks) return;
          const auto hasher = factory();
          opened->tree = build_tree(**opened->chunks, *hasher);
        },
        [this, opened] {
          if (!opened->file) return port_.fail(opened->file.error());
          if (!opened->chunks) return port_.fail(opened->chunks.error());
          file_ = *opened->file;
          chunks_ = *opened->chunks;
          tree_ = std::move(opened->tree);
          answer();
        });
  }

  Status on_message(FrameType type, ByteView payload) override {
    if (type == FrameType::kDescend && holder_ && !sender_ && !bits_.active()) {
      MILLRACE_ASSIGN(const auto descend, wire::decode<wire::Descend>(payload));
      if (descend.start) {
        send_nodes(holder_->start());
        return {};
      }
      return bits_.expect(descend.bulk_bytes, kMaxBitsBytes);
    }
    if (type == FrameType::kSign && holder_ && !sender_ && !bits_.active()) {
      MILLRACE_ASSIGN(const auto sign, wire::decode<wire::Sign>(payload));
      if (sign.rung != 0) return fail(Code::kProtocol, "An unknown rung was asked for.");
      if (sign.bulk_bytes == 0) {
        send_patch({});
        return {};
      }
      last_bits_ = true;
      return bits_.expect(sign.bulk_bytes, kMaxBitsBytes);
    }
    return fail(Code::kProtocol, "The client sent a message that a download does not expect.");
  }

  Status on_data(ByteView bytes) override {
    while (!bytes.empty()) {
      if (!bits_.active()) return fail(Code::kProtocol, "The client sent bytes that a download does not expect.");
      bits_.feed(bytes, port_);
      if (!bits_.complete()) continue;
      const Buffer bits = bits_.take();
      if (!last_bits_) {
        MILLRACE_ASSIGN(NodesAnswer nodes, holder_->descend(bits));
        send_nodes(std::move(nodes));
        continue;
      }
      MILLRACE_TRY(holder_->finish(bits));
      send_patch(holder_->lacking());
    }
    return {};
  }

  Status on_writable() override {
    if (sender_) sender_->pump();
    return {};
  }

  void on_closed(const Error&) override {}

 private:
  void answer() {
    wire::Basis basis;
    basis.version = file_->version();
    const Digest& root = file_->version().token.root;
    if (request_.root && *request_.root == root) {
      wire::Done done;
      done.version = file_->version();
      done.unchanged = true;
      port_.send_last(done);
      return;
    }
    const bool has_basis = request_.basis_bytes > 0 && !request_.whole_file && !tree_.levels.empty();
    if (!has_basis) {
      port_.send(basis);
      std::vector<std::uint32_t> all(chunks_->size());
      for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
      send_patch(all);
      return;
    }
    holder_.emplace(tree_, request_.basis_bytes);
    Buffer bulk;
    if (request_.root) {
      NodesAnswer nodes = holder_->start();
      basis.level = nodes.level;
      basis.count = nodes.count;
      basis.bulk_bytes = nodes.bulk.size();
      bulk = std::move(nodes.bulk);
    }
    port_.send(basis);
    if (!bulk.empty()) port_.send_data(SharedBytes::of(std::move(bulk)));
  }

  void send_nodes(NodesAnswer nodes) {
    wire::Nodes message;
    message.level = nodes.level;
    message.count = nodes.count;
    message.bulk_bytes = nodes.bulk.size();
    port_.send(message);
    if (!nodes.bulk.empty()) port_.send_data(SharedBytes::of(std::move(nodes.bulk)));
  }

  /// `lacking`: distinct chunks, by index; every other chunk with the same content is lacking too.
  void send_patch(const std::vector<std::uint32_t>& lacking) {
    std::unordered_set<std::uint64_t> contents;
    for (const std::uint32_t index : lacking) contents.insert((*chunks_)[index].digest.prefix());
    sender_.emplace(port_, std::shared_ptr<const Source>(file_), context_.toolbox, Addressing::kTarget, std::vector<Match>(),
                    patch_limits(static_cast<int>(std::min<std::uint64_t>(request_.level, static_cast<std::uint64_t>(context_.max_level))),
                                 port_.peer().max_segment),
                    [this](Error error) { port_.fail(std::move(error)); }, [this] { finish(); });
    port_.send(wire::Patch{});
    const auto hasher = context_.toolbox.hasher();
    const Digest zeros = hasher->hash(Buffer(kMaxChunkBytes, Byte{0}));
    for (std::size_t i = 0; i < chunks_->size(); ++i) {
      const Chunk& chunk = (*chunks_)[i];
      const bool has = !contents.contains(chunk.digest.prefix());
      sender_->add_chunk({chunk.length, chunk.length == kMaxChunkBytes && chunk.digest == zeros, has ? i : kNoChunk});
    }
    sender_->end(tree_.root);
  }

  void finish() {
    wire::Done done;
    done.version = file_->version();
    port_.send_last(done);
  }

  StreamPort& port_;
  ServerContext context_;
  Principal principal_;
  wire::Download request_;
  std::shared_ptr<const StoredFile> file_;
  std::shared_ptr<const ChunkList> chunks_;
  ChunkTree tree_;
  std::optional<TreeHolder> holder_;
  std::optional<PatchSender> sender_;
  Bulk bits_;
  bool last_bits_ = false;
};

}  // namespace

std::shared_ptr<Conversation> make_download_server(StreamPort& port, const ServerContext& context, const Principal& principal,
                                                   wire::Download request) {
  auto download = std::make_shared<DownloadServer>(port, context, principal, std::move(request));
  download->start();
  return download;
}

}  // namespace millrace
