#include "sync/upload_client.h"

#include <algorithm>
#include <unordered_map>

#include "delta/ladder_policy.h"
#include "delta/tree_exchange.h"
#include "sync/bulk.h"
#include "sync/ladder_client.h"
#include "sync/patch_sender.h"
#include "sync/target_scan.h"

namespace millrace {

namespace {

constexpr std::uint64_t kSendAtOnceBytes = 4 * 1024;  ///< smaller targets travel with the request
constexpr std::uint64_t kHashFirstBytes = 16u << 20;  ///< up to here the request waits for the root
constexpr std::uint32_t kMaxRepairs = 2;

/// How an upload goes: (scan) -> request -> BASIS -> (tree exchange) -> (ladder) -> patch -> DONE. A target over
/// kHashFirstBytes asks before it is scanned, so that a new file streams while it is hashed.
class UploadClient final : public Conversation, public std::enable_shared_from_this<UploadClient> {
 public:
  UploadClient(StreamPort& port, UploadTarget target, const TransferOptions& options, const Toolbox& toolbox,
               TransferDone done, TransferObserver observer)
      : port_(port),
        target_(std::move(target)),
        options_(options),
        toolbox_(toolbox),
        done_(std::move(done)),
        observer_(std::move(observer)),
        scan_(
            port, target_.source, toolbox, [this](ScannedBlock& block) { on_block(block); },
            [this](Error error) { give_up(std::move(error)); }) {}

  void start() {
    const std::uint64_t size = target_.source->size();
    for (std::size_t at = 0; at < upload_id_.size(); at += 8) store_le(upload_id_.data() + at, toolbox_.random());
    const bool whole = is_sent_whole(options_, size);
    if (whole && target_.prepared) return send_prepared();
    if (whole) {
      send_request<wire::Upload>(std::nullopt);
      stream_patch();
    } else if (size > kHashFirstBytes) {
      send_request<wire::UploadDelta>(std::nullopt);
      requested_ = true;
    }
    if (size == 0) {
      on_scanned();
    } else {
      scan_.start(whole || requested_ ? Contents::kKept : Contents::kDropped);
    }
  }

  Status on_message(FrameType type, ByteView payload) override {
    if (type == FrameType::kSignatures && ladder_ && !sender_) {
      MILLRACE_ASSIGN(const auto signatures, wire::decode<wire::Signatures>(payload));
      if (std::exchange(awaiting_rung_, false)) count_wait();
      return ladder_->on_signatures(signatures);
    }
    count_wait();
    switch (type) {
      case FrameType::kBasis: {
        if (basis_ || sender_ || !requested_) break;
        MILLRACE_ASSIGN(basis_, wire::decode<wire::Basis>(payload));
        if (!basis_->version) {
          stream_patch();
          return {};
        }
        scan_.drop_contents();
        if (basis_->bulk_bytes > 0) return expect_nodes(basis_->level, basis_->count, basis_->bulk_bytes);
        return compare_if_ready();
      }
      case FrameType::kNodes: {
        if (!searcher_ || nodes_.active()) break;
        MILLRACE_ASSIGN(const auto nodes, wire::decode<wire::Nodes>(payload));
        return expect_nodes(nodes.level, nodes.count, nodes.bulk_bytes);
      }
      case FrameType::kMismatch: {
        const bool sent = sender_ ? sender_->all_queued() : target_.prepared != nullptr;
        if (!sent || !scanned_ || built_.active()) break;
        MILLRACE_ASSIGN(const auto mismatch, wire::decode<wire::Mismatch>(payload));
        if (++repairs_ > kMaxRepairs) break;
        if (mismatch.bulk_bytes == 0) {
          send_whole_again();
          return {};
        }
        return built_.expect(mismatch.bulk_bytes, chunks_.size() * sizeof(std::uint64_t));
      }
      case FrameType::kDone: {
        MILLRACE_ASSIGN(const auto done, wire::decode<wire::Done>(payload));
        if (!done.version) break;
        complete(*done.version, done.unchanged);
        return {};
      }
      default:
        break;
    }
    return fail(Code::kProtocol, "The server sent a message that an upload does not expect.");
  }

  Status on_data(ByteView bytes) override {
    while (!bytes.empty()) {
      if (ladder_ && ladder_->expects_data()) {
        ladder_->on_data(bytes);
        continue;
      }
      if (built_.active()) {
        built_.feed(bytes, port_);
        if (built_.complete()) MILLRACE_TRY(send_repair(built_.take()));
        continue;
      }
      if (!nodes_.active()) return fail(Code::kProtocol, "The server sent bytes that an upload does not expect.");
      nodes_.feed(bytes, port_);
      if (!nodes_.complete()) continue;
      const Buffer bulk = nodes_.take();
      MILLRACE_TRY(on_nodes(bulk));
    }
    return {};
  }

  Status on_writable() override {
    if (sender_) pump();
    return {};
  }

  void on_closed(const Error& error) override { report(fail(error)); }

 private:
  void send_prepared() {
    const PreparedTarget& prepared = *target_.prepared;
    send_request<wire::Upload>(std::nullopt);
    tree_ = prepared.tree;
    chunks_ = prepared.chunks;
    scanned_ = true;
    sent_literals_ = prepared.literal_bytes;
    port_.send_data({target_.prepared, prepared.patch});
    observe("sending", target_.source->size());
  }

  template <typename Request>
  void send_request(const std::optional<Digest>& root) {
    Request request;
    request.path = target_.path;
    request.bytes = target_.source->size();
    request.root = root;
    request.attributes = target_.attributes;
    request.upload_id = upload_id_;
    request.expected = options_.expected;
    port_.send(request);
  }

  void on_block(ScannedBlock& block) {
    if (!hasher_) hasher_ = toolbox_.hasher();
    if (streaming_) sender_->hold({block.offset, block.content});
    for (std::size_t i = 0; i < block.chunks.size(); ++i) {
      const Chunk& chunk = block.chunks[i];
      builder_.add(chunk.length, chunk.digest, *hasher_);
      const TargetChunk known{chunk.length, block.zero[i], kNoChunk};
      chunks_.push_back(known);
      if (streaming_) sender_->add_chunk(known);
    }
    observe(streaming_ ? "sending" : "hashing", block.offset + block.length);
    if (block.last) {
      on_scanned();
    } else if (streaming_) {
      pump();
    }
  }

  void on_scanned() {
    if (!hasher_) hasher_ = toolbox_.hasher();
    tree_ = builder_.finish(*hasher_);
    scanned_ = true;
    if (streaming_) {
      sender_->end(tree_.root);
      pump();
      return;
    }
    if (!requested_) {
      send_request<wire::UploadDelta>(tree_.root);
      requested_ = true;
    } else if (const auto status = compare_if_ready(); !status) {
      give_up(status.error());
    }
  }

  /// Data goes while the target is still scanned.
  void stream_patch() {
    streaming_ = true;
    start_sender({});
    for (const TargetChunk& chunk : chunks_) sender_->add_chunk(chunk);
    if (scanned_) sender_->end(tree_.root);
    pump();
  }

  void start_sender(std::vector<Match> matches) {
    start_sender(std::move(matches), patch_limits(level(), port_.peer()), false);
  }

  void start_sender(std::vector<Match> matches, const PatchLimits& limits, bool repair) {
    if (sender_) sent_literals_ += sender_->planner().literal_bytes();
    sender_.emplace(port_, target_.source, toolbox_, Addressing::kBasis, std::move(matches), limits,
                    [this](Error error) { give_up(std::move(error)); });
    sender_->set_on_progress([this] { pump(); });
    wire::Patch patch;
    patch.repair = repair;
    if (requested_ || repairs_ > 0) port_.send(patch);
  }

  int level() const { return options_.level.value_or(level_for(port_.link())); }

  void pump() {
    sender_->pump();
    if (!streaming_) observe("sending", sender_->planner().position());
    const bool full = port_.unsent_bytes() >= StreamPort::kHighWater || sender_->planner().pending_bytes() > (8u << 20);
    if (streaming_ && !scanned_) {
      if (full)
        scan_.pause();
      else
        scan_.resume();
    }
  }

  Status compare_if_ready() {
    if (!scanned_ || !basis_ || nodes_.active() || searcher_) return {};
    if (basis_->version->token.root == tree_.root && basis_->version->attributes == target_.attributes) {
      complete(*basis_->version, true);
      return {};
    }
    searcher_.emplace(tree_);
    wire::Descend start;
    start.start = true;
    port_.send(start);
    return {};
  }

  Status expect_nodes(std::uint64_t level, std::uint64_t count, std::uint64_t bytes) {
    nodes_level_ = level;
    nodes_count_ = count;
    if (bytes == 0) return on_nodes({});  // an empty basis
    return nodes_.expect(bytes, kMaxBulkBytes);
  }

  Status on_nodes(const Buffer& bulk) {
    if (!searcher_) {
      if (!scanned_) return fail(Code::kProtocol, "Tree nodes came before they were asked for.");
      searcher_.emplace(tree_);
    }
    MILLRACE_ASSIGN(Buffer bits, searcher_->on_nodes(nodes_level_, nodes_count_, bulk));
    if (searcher_->any_lacking() && nodes_level_ > 0) {
      wire::Descend descend;
      descend.level = nodes_level_ - 1;
      descend.bulk_bytes = bits.size();
      port_.send(descend);
      port_.send_data(SharedBytes::of(std::move(bits)));
      return {};
    }
    MILLRACE_ASSIGN(std::vector<HolderPiece> pieces, searcher_->pieces());
    know_kept_chunks(pieces);
    if (searcher_->any_lacking() && options_.max_depth != 0) {
      start_ladder(std::move(pieces), std::move(bits));
    } else {
      send_delta({});
    }
    return {};
  }

  /// The tree is compared: chunks that the basis has are kept, by position or wherever else the same chunk stands.
  void know_kept_chunks(const std::vector<HolderPiece>& pieces) {
    std::uint64_t position = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> known;
    const auto& leaves = tree_.levels.front();
    for (const HolderPiece& piece : pieces) {
      for (std::uint32_t i = 0; piece.matched && i < piece.count; ++i) {
        TargetChunk& chunk = chunks_[piece.first + i];
        if (chunk.basis == kNoChunk) chunk.basis = position + i;
        known.emplace(leaves[piece.first + i].prefix, position + i);
      }
      position += piece.count;
    }
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      const auto found = chunks_[i].basis == kNoChunk ? known.find(leaves[i].prefix) : known.end();
      if (found != known.end()) chunks_[i].basis = found->second;
    }
  }

  /// `bits`: the answer to the last tree nodes, which names the chunks to sign.
  void start_ladder(std::vector<HolderPiece> pieces, Buffer bits) {
    std::vector<std::uint64_t> offsets{0};
    std::vector<bool> covered;
    std::uint64_t kept = 0;
    for (const TargetChunk& chunk : chunks_) {
      offsets.push_back(offsets.back() + chunk.length);
      covered.push_back(chunk.basis != kNoChunk || chunk.zero);
      if (covered.back()) kept += chunk.length;
    }
    auto searcher = std::make_shared<LadderSearcher>(std::move(pieces), searcher_->lacking(), std::move(offsets),
                                                     covered, basis_->seed);
    if (searcher->gaps().empty()) return send_delta({});
    ladder_.emplace(
        port_, toolbox_, target_.source, std::move(searcher), [this](double ratio) { on_rung(ratio); },
        [this](Error error) { give_up(std::move(error)); });
    ladder_->sample([this, kept, bits = SharedBytes::of(std::move(bits))](double ratio) {
      if (!worth_a_ladder(kept, target_.source->size(), ratio)) return send_delta({});
      ask_signatures(0, ladder_->searcher().gap_bytes(), bits);
    });
  }

  void ask_signatures(std::uint32_t block_bytes, std::uint64_t pair_bytes, const SharedBytes& bits) {
    wire::Sign sign;
    sign.rung = ladder_->searcher().rung();
    sign.block_bytes = block_bytes;
    sign.pair_bytes = pair_bytes;
    sign.bulk_bytes = bits.view.size();
    awaiting_rung_ = true;
    port_.send(sign);
    port_.send_data(bits);
    observe("comparing", 0);
  }

  void on_rung(double literal_ratio) {
    LadderSearcher& searcher = ladder_->searcher();
    const bool deeper = searcher.rung() < options_.max_depth.value_or(kFullDepth);
    const std::uint32_t next = deeper ? next_rung_block(ladder_->first_block(), ladder_->block(), literal_ratio) : 0;
    LadderSearcher::Answer answer = searcher.finish_rung(next, literal_ratio);
    const bool pays =
        options_.max_depth || rung_pays(port_.link(), static_cast<double>(answer.gap_bytes) * literal_ratio);
    if (next != 0 && answer.finer_ranges > 0 && pays)
      return ask_signatures(next, answer.pair_bytes, SharedBytes::of(std::move(answer.bits)));
    std::vector<Match> matches;
    for (const BlockMatch& match : searcher.by_own()) matches.push_back({match.own, match.holder, match.length});
    send_delta(std::move(matches));
  }

  void send_delta(std::vector<Match> matches) {
    start_sender(std::move(matches));
    for (const TargetChunk& chunk : chunks_) sender_->add_chunk(chunk);
    sender_->end(tree_.root);
  }

  /// `digests`: 8 bytes for each chunk that the server built. Those that differ go once more, as literals.
  Status send_repair(const Buffer& digests) {
    std::vector<std::size_t> built;
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      if (chunks_[i].basis == kNoChunk && !chunks_[i].zero) built.push_back(i);
    }
    if (tree_.base_level != 0 || digests.size() != built.size() * sizeof(std::uint64_t)) {
      return fail(Code::kProtocol, "The server names other chunks than those that were sent.");
    }
    std::vector<TargetChunk> repair = chunks_;
    for (std::size_t i = 0; i < repair.size(); ++i) repair[i] = {chunks_[i].length, false, i};
    for (std::size_t at = 0; at < built.size(); ++at) {
      const auto digest = load_le<std::uint64_t>(digests.data() + at * sizeof(std::uint64_t));
      if (digest != tree_.levels.front()[built[at]].prefix) repair[built[at]].basis = kNoChunk;
    }
    PatchLimits limits = patch_limits(level(), port_.peer());
    limits.window = 0;
    start_sender({}, limits, true);
    for (const TargetChunk& chunk : repair) sender_->add_chunk(chunk);
    sender_->end(tree_.root);
    return {};
  }

  void send_whole_again() {
    for (TargetChunk& chunk : chunks_) chunk.basis = kNoChunk;
    send_delta({});
  }

  /// A message arrived: was there anything else to do than to wait for it?
  void count_wait() {
    const bool scanning = !scanned_ && !(sender_ && sender_->all_queued());
    if (!scanning) ++round_trips_;
  }

  void observe(const char* phase, std::uint64_t bytes) {
    if (observer_ && done_) observer_({phase, bytes, target_.source->size()});
  }

  void complete(const Version& version, bool unchanged) {
    TransferResult result;
    result.version = version;
    result.unchanged = unchanged;
    result.round_trips = round_trips_;
    if (!sender_ && target_.prepared) {
      result.literal_bytes = target_.prepared->literal_bytes;
      result.zero_bytes = target_.prepared->zero_bytes;
    } else if (sender_) {
      result.literal_bytes = sent_literals_ + sender_->planner().literal_bytes();
      result.repairs = repairs_;
      result.matched_bytes = sender_->planner().matched_bytes();
      result.zero_bytes = sender_->planner().zero_bytes();
    } else {
      result.matched_bytes = target_.source->size();
    }
    const auto self = shared_from_this();
    port_.finish();
    report(std::move(result));
  }

  void give_up(Error error) { port_.fail(std::move(error)); }

  void report(Result<TransferResult> result) {
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
  }

  StreamPort& port_;
  UploadTarget target_;
  TransferOptions options_;
  Toolbox toolbox_;
  TransferDone done_;
  TransferObserver observer_;
  TargetScan scan_;
  UploadId upload_id_{};
  std::unique_ptr<Hasher> hasher_;
  ChunkTreeBuilder builder_;
  ChunkTree tree_;
  std::vector<TargetChunk> chunks_;
  std::optional<wire::Basis> basis_;
  std::optional<TreeSearcher> searcher_;
  std::optional<LadderClient> ladder_;
  std::optional<PatchSender> sender_;
  Bulk nodes_;
  Bulk built_;
  std::uint32_t repairs_ = 0;
  std::uint64_t sent_literals_ = 0;  ///< by earlier patches, which a repair followed
  std::uint64_t nodes_level_ = 0;
  std::uint64_t nodes_count_ = 0;
  std::uint32_t round_trips_ = 0;
  bool awaiting_rung_ = false;
  bool requested_ = false;
  bool scanned_ = false;
  bool streaming_ = false;
};

}  // namespace

bool is_sent_whole(const TransferOptions& options, std::uint64_t bytes) {
  return options.whole_file || bytes <= kSendAtOnceBytes;
}

std::shared_ptr<Conversation> make_upload(StreamPort& port, UploadTarget target, const TransferOptions& options,
                                          const Toolbox& toolbox, TransferDone done, TransferObserver observer) {
  auto upload =
      std::make_shared<UploadClient>(port, std::move(target), options, toolbox, std::move(done), std::move(observer));
  upload->start();
  return upload;
}

}  // namespace millrace
