#include "sync/download_server.h"

#include <algorithm>
#include <unordered_map>

#include "delta/ladder_policy.h"
#include "delta/literal_sample.h"
#include "delta/tree_exchange.h"
#include "sync/bulk.h"
#include "sync/node_reply.h"
#include "sync/patch_sender.h"
#include "sync/signer.h"

namespace millrace {

namespace {

/// Clients keep nothing of smaller files (client/partial_download).
constexpr std::uint64_t kLeastResumed = 8u << 20;
/// A client that is cut off has lost the part that was coming: less than 1 MiB or 1 % of the file.
constexpr std::uint64_t kLeastPartBytes = 896u << 10;
constexpr std::uint64_t kPartShare = 110;
constexpr double kCompressing = 0.9;  ///< a sample that gets so short says that parts will

/// The stages: open the target; answer with its version; (tree exchange); (ladder); send the patch; DONE.
class DownloadServer final : public Conversation {
 public:
  DownloadServer(StreamPort& port, const ServerContext& context, const Principal& principal, wire::Download request)
      : port_(port), context_(context), principal_(principal), request_(std::move(request)) {}

  void start() {
    port_.admit([this] { begin(); });
  }

 private:
  void begin() {
    struct Opened {
      Result<std::shared_ptr<const StoredFile>> file = nullptr;
      Result<std::shared_ptr<const ChunkList>> chunks = nullptr;
      ChunkTree tree;
      std::uint64_t seed = 0;
    };
    auto opened = std::make_shared<Opened>();
    port_.run(
        Lane::kCatalogue,
        [opened, store = context_.store, principal = principal_, path = request_.path,
         factory = context_.toolbox.hasher] {
          opened->file = store->open(principal, path);
          if (!opened->file) return;
          opened->chunks = (*opened->file)->chunks();
          if (!opened->chunks) return;
          const auto hasher = factory();
          opened->tree = build_tree(**opened->chunks, *hasher);
          opened->seed = store->signature_seed(principal);
        },
        [this, opened] {
          if (!opened->file) return port_.fail(opened->file.error());
          if (!opened->chunks) return port_.fail(opened->chunks.error());
          file_ = *opened->file;
          chunks_ = *opened->chunks;
          tree_ = std::move(opened->tree);
          offsets_ = offsets_of(*chunks_);
          seed_ = opened->seed;
          answer();
        });
  }

 public:
  Status on_message(FrameType type, ByteView payload) override {
    if (type == FrameType::kDescend && holder_ && !sender_ && !bits_.active()) {
      MILLRACE_ASSIGN(const auto descend, wire::decode<wire::Descend>(payload));
      if (descend.start) {
        send_nodes(port_, holder_->start());
        return {};
      }
      return bits_.expect(descend.bulk_bytes, kMaxBitsBytes);
    }
    if (type == FrameType::kSign && holder_ && !sender_ && !bits_.active()) {
      MILLRACE_ASSIGN(sign_, wire::decode<wire::Sign>(payload));
      const std::uint64_t next = (signer_ ? signer_->holder().rung() : 0) + 1;
      if (sign_.rung != 0 && sign_.rung != next) return fail(Code::kProtocol, "An unknown rung was asked for.");
      if (sign_.bulk_bytes == 0) {
        if (signer_) return fail(Code::kProtocol, "A rung was not answered.");
        send_patch();
        return {};
      }
      last_bits_ = true;
      return bits_.expect(sign_.bulk_bytes, kMaxBitsBytes);
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
        send_nodes(port_, std::move(nodes));
        continue;
      }
      MILLRACE_TRY(on_answer(bits));
    }
    return {};
  }

  Status on_writable() override {
    if (sender_) {
      sender_->pump();
    } else if (signer_) {
      signer_->pump();
    }
    return {};
  }

  bool holds_memory() const override { return bits_.active(); }

  void on_closed(const Error&) override {}

 private:
  void answer() {
    wire::Basis basis;
    basis.version = file_->version();
    basis.seed = seed_;
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
      lacking_ = std::vector<std::uint32_t>(chunks_->size());
      for (std::uint32_t i = 0; i < lacking_.size(); ++i) lacking_[i] = i;
      send_patch();
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

  /// The searcher's bits for the chunks, or for a rung: sign the next one, or send the patch.
  Status on_answer(const Buffer& bits) {
    if (!signer_) {
      MILLRACE_TRY(holder_->finish(bits));
      lacking_ = holder_->lacking();
      std::vector<ByteRange> ranges;
      for (const std::uint32_t chunk : lacking_) ranges.push_back({offsets_[chunk], (*chunks_)[chunk].length});
      signer_.emplace(port_, file_, KnownContent{context_.signatures, file_->version().token.root}, std::move(ranges),
                      seed_, context_.match_margin_bits, [this](Error error) { port_.fail(std::move(error)); });
    } else {
      if (!signer_->idle() || deciding_) return fail(Code::kProtocol, "A rung was answered before it was signed.");
      MILLRACE_TRY(signer_->holder().take_answer(bits));
    }
    const LadderHolder& holder = signer_->holder();
    if (sign_.rung == 0 || sign_.pair_bytes == 0 || holder.rung() >= request_.max_depth || holder.ranges().empty()) {
      send_patch();
      return {};
    }
    decide();
    return {};
  }

  /// Samples what is left and chooses.
  void decide() {
    deciding_ = true;
    std::vector<ByteRange> left;
    for (const SignedRange& range : signer_->holder().ranges())
      left.push_back({offsets_[lacking_[range.chunk]] + range.offset, range.length});
    auto ratio = std::make_shared<Result<double>>(1.0);
    port_.run(
        Lane::kCpu,
        [ratio, left = std::move(left), file = file_, toolbox = context_.toolbox] {
          const auto codec = toolbox.codec();
          *ratio = sample_literals(*file, left, *codec);
        },
        [this, ratio] {
          deciding_ = false;
          if (!*ratio) return port_.fail(ratio->error());
          compresses_ = **ratio < kCompressing;
          const LadderHolder& holder = signer_->holder();
          const std::uint64_t bytes = file_->version().bytes;
          const std::uint64_t unfound = std::min(holder.unfound_bytes(), bytes);
          const bool first = holder.rung() == 0;
          const std::uint32_t block =
              first ? 0 : next_rung_block(signer_->first_block(), holder.block_bytes(), **ratio);
          if (first ? !worth_a_ladder(bytes - unfound, bytes, **ratio) : block == 0) return send_patch();
          if (auto status = signer_->begin(block, sign_.pair_bytes); !status) port_.fail(status.error());
        });
  }

  /// What was found of the distinct lacking chunks, at every place where such a chunk stands.
  std::vector<Match> matches(const std::unordered_map<std::uint64_t, std::uint32_t>& numbers) const {
    std::vector<Match> out;
    if (!signer_) return out;
    const std::vector<SignedRange> found = signer_->holder().found();
    std::vector<std::size_t> begin(lacking_.size() + 1, found.size());
    for (std::size_t i = found.size(); i-- > 0;) begin[found[i].chunk] = i;
    for (std::size_t number = lacking_.size(); number-- > 0;)
      begin[number] = std::min(begin[number], begin[number + 1]);
    for (std::size_t i = 0; i < chunks_->size(); ++i) {
      const auto number = numbers.find((*chunks_)[i].digest.prefix());
      if (number == numbers.end()) continue;
      for (std::size_t at = begin[number->second]; at < begin[number->second + 1]; ++at) {
        out.push_back({offsets_[i] + found[at].offset, 0, found[at].length});
      }
    }
    return out;
  }

  /// Chunks with the content of a lacking one are lacking too.
  void send_patch() {
    std::unordered_map<std::uint64_t, std::uint32_t> numbers;
    for (std::uint32_t number = 0; number < lacking_.size(); ++number)
      numbers.emplace((*chunks_)[lacking_[number]].digest.prefix(), number);
    PatchLimits limits = patch_limits(
        static_cast<int>(std::min<std::uint64_t>(request_.level, static_cast<std::uint64_t>(context_.max_level))),
        port_.peer(), port_.slice());
    if (file_->size() >= kLeastResumed) limits.uncoded_bytes = std::max(kLeastPartBytes, file_->size() / kPartShare);
    limits.compresses = compresses_;
    sender_.emplace(
        port_, std::shared_ptr<const Source>(file_), context_.toolbox, Addressing::kTarget, matches(numbers), limits,
        [this](Error error) { port_.fail(std::move(error)); }, [this] { finish(); });
    port_.send(wire::Patch{});
    const auto hasher = context_.toolbox.hasher();
    const Digest zeros = hasher->hash(Buffer(kMaxChunkBytes, Byte{0}));
    for (std::size_t i = 0; i < chunks_->size(); ++i) {
      const Chunk& chunk = (*chunks_)[i];
      const bool has = !numbers.contains(chunk.digest.prefix());
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
  std::vector<std::uint64_t> offsets_;  ///< of the chunks, and the end
  std::uint64_t seed_ = 0;
  std::optional<TreeHolder> holder_;
  std::vector<std::uint32_t> lacking_;  ///< distinct chunks that the client lacks, by index
  std::optional<Signer> signer_;
  wire::Sign sign_;
  bool deciding_ = false;
  bool compresses_ = false;  ///< so did the last sample of the literals
  std::optional<PatchSender> sender_;
  Bulk bits_;
  bool last_bits_ = false;
};

}  // namespace

std::shared_ptr<Conversation> make_download_server(StreamPort& port, const ServerContext& context,
                                                   const Principal& principal, wire::Download request) {
  auto download = std::make_shared<DownloadServer>(port, context, principal, std::move(request));
  download->start();
  return download;
}

}  // namespace millrace
