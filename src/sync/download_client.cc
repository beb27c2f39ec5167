#include "sync/download_client.h"

#include <algorithm>

#include "delta/draft_root.h"
#include "delta/ladder_policy.h"
#include "delta/tree_exchange.h"
#include "sync/bulk.h"
#include "sync/ladder_client.h"
#include "sync/patch_receiver.h"
#include "sync/target_scan.h"

namespace millrace {

namespace {

constexpr std::uint64_t kDownloadWindow = 4u << 20;
constexpr std::uint64_t kCopyBytes = 16u << 20;  ///< by one job

/// The stages: scan the basis; request; (tree exchange); (ladder); receive the patch into a draft; verify the root;
/// commit.
class DownloadClient final : public Conversation, public std::enable_shared_from_this<DownloadClient> {
 public:
  DownloadClient(StreamPort& port, DownloadTarget target, const TransferOptions& options, const Toolbox& toolbox,
                 TransferDone done, TransferObserver observer)
      : port_(port),
        target_(std::move(target)),
        options_(options),
        toolbox_(toolbox),
        done_(std::move(done)),
        observer_(std::move(observer)),
        basis_chunks_(std::make_shared<ChunkList>()) {}

  void start() {
    const bool has_basis = target_.basis && target_.basis->size() > 0 && !options_.whole_file;
    if (!has_basis) return request(std::nullopt);
    scan_.emplace(
        port_, target_.basis, toolbox_, [this](ScannedBlock& block) { on_block(block); },
        [this](Error error) { port_.fail(std::move(error)); });
    scan_->start(Contents::kDropped);
  }

  Status on_message(FrameType type, ByteView payload) override {
    if (type == FrameType::kSignatures && ladder_ && !patch_) {
      MILLRACE_ASSIGN(const auto signatures, wire::decode<wire::Signatures>(payload));
      if (std::exchange(awaiting_rung_, false)) ++round_trips_;
      return ladder_->on_signatures(signatures);
    }
    ++round_trips_;
    switch (type) {
      case FrameType::kBasis: {
        if (version_) break;
        MILLRACE_ASSIGN(const auto basis, wire::decode<wire::Basis>(payload));
        if (!basis.version) break;
        version_ = basis.version;
        seed_ = basis.seed;
        if (basis.bulk_bytes > 0) return expect_nodes(basis.level, basis.count, basis.bulk_bytes);
        return {};
      }
      case FrameType::kNodes: {
        if (!version_ || bulk_.active()) break;
        MILLRACE_ASSIGN(const auto nodes, wire::decode<wire::Nodes>(payload));
        return expect_nodes(nodes.level, nodes.count, nodes.bulk_bytes);
      }
      case FrameType::kPatch:
        if (!version_ || patch_ || bulk_.active() || (ladder_ && ladder_->busy())) break;
        patch_ = true;
        if (round_trips_ > 1 && !scan_) --round_trips_;  // it came in the same flight as BASIS
        open_draft([this, basis = patch_basis()]() mutable { receive(std::move(basis)); });
        return {};
      case FrameType::kDone: {
        MILLRACE_ASSIGN(const auto done, wire::decode<wire::Done>(payload));
        if (!done.version) break;
        if (patch_) {
          --round_trips_;  // it came behind the patch
          done_received_ = true;
          if (committed_) complete(false);
          return {};
        }
        if (!done.unchanged) break;
        version_ = done.version;
        if (target_.basis_is == BasisIs::kAtPlace) {
          complete(true);
        } else {
          done_received_ = true;
          open_draft([this] { copy_basis(0); });
        }
        return {};
      }
      default:
        break;
    }
    return fail(Code::kProtocol, "The server sent a message that a download does not expect.");
  }

  Status on_data(ByteView bytes) override {
    while (!bytes.empty() && bulk_.active()) {
      bulk_.feed(bytes, port_);
      if (!bulk_.complete()) continue;
      const Buffer bulk = bulk_.take();
      MILLRACE_TRY(on_nodes(bulk));
    }
    while (!bytes.empty() && ladder_ && ladder_->expects_data()) ladder_->on_data(bytes);
    if (bytes.empty()) return {};
    if (!patch_) return fail(Code::kProtocol, "The server sent bytes that a download does not expect.");
    if (!receiver_) {
      append(early_, bytes);
      return {};
    }
    MILLRACE_TRY(receiver_->on_data(bytes));
    received_ += bytes.size();
    if (observer_ && done_) observer_({"receiving", std::min(received_, version_->bytes), version_->bytes});
    return {};
  }

  MutableBytes data_space() override {
    const bool is_patch = receiver_ && !bulk_.active() && !(ladder_ && ladder_->expects_data());
    return is_patch ? receiver_->data_space() : MutableBytes();
  }

  void on_closed(const Error& error) override {
    // The new version is in place and proven; only the server's last word is missing.
    if (committed_) return report(result(false));
    if (receiver_ && target_.on_cut) target_.on_cut(receiver_->rest());
    report(fail(error));
  }

 private:
  void on_block(ScannedBlock& block) {
    if (!hasher_) hasher_ = toolbox_.hasher();
    for (const Chunk& chunk : block.chunks) {
      builder_.add(chunk.length, chunk.digest, *hasher_);
      basis_chunks_->push_back(chunk);
    }
    if (observer_ && done_) observer_({"hashing", block.offset + block.length, target_.basis->size()});
    if (!block.last) return;
    tree_ = builder_.finish(*hasher_);
    request(tree_.root);
  }

  void request(const std::optional<Digest>& root) {
    wire::Download message;
    message.path = target_.path;
    message.basis_bytes = root ? target_.basis->size() : 0;
    message.root = root;
    message.max_depth = options_.max_depth.value_or(kFullDepth);
    message.level = static_cast<std::uint64_t>(options_.level.value_or(level_for(port_.link())));
    message.whole_file = options_.whole_file;
    port_.send(message);
  }

  Status expect_nodes(std::uint64_t level, std::uint64_t count, std::uint64_t bytes) {
    if (!searcher_) searcher_.emplace(tree_);
    nodes_level_ = level;
    nodes_count_ = count;
    return bulk_.expect(bytes, kMaxBulkBytes);
  }

  Status on_nodes(const Buffer& bulk) {
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
    place_pieces(pieces);
    const bool lacking = nodes_level_ == 0 && searcher_->any_lacking();
    if (lacking && options_.max_depth != 0) {
      std::vector<bool> covered(basis_chunks_->size());
      for (const KeptRun& run : kept_)
        std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(run.basis), run.count, true);
      ladder_.emplace(
          port_, toolbox_, target_.basis,
          std::make_shared<LadderSearcher>(std::move(pieces), searcher_->lacking(), offsets_of(*basis_chunks_), covered,
                                           seed_),
          [this](double ratio) { on_rung(ratio); }, [this](Error error) { port_.fail(std::move(error)); });
      send_answer(1, ladder_->searcher().gap_bytes(), std::move(bits));
    } else {
      // At the chunks their bits tell what to send; above them nothing is lacking and the patch has no literals.
      send_answer(0, 0, nodes_level_ == 0 ? std::move(bits) : Buffer());
    }
    return {};
  }

  void send_answer(std::uint64_t rung, std::uint64_t pair_bytes, Buffer bits) {
    wire::Sign sign;
    sign.rung = rung;
    sign.pair_bytes = pair_bytes;
    sign.bulk_bytes = bits.size();
    awaiting_rung_ = rung > 0;
    port_.send(sign);
    if (!bits.empty()) port_.send_data(SharedBytes::of(std::move(bits)));
  }

  void on_rung(double literal_ratio) {
    LadderSearcher& searcher = ladder_->searcher();
    const bool deeper = searcher.rung() < options_.max_depth.value_or(kFullDepth);
    const std::uint32_t next = deeper ? next_rung_block(ladder_->first_block(), ladder_->block(), literal_ratio) : 0;
    LadderSearcher::Answer answer = searcher.finish_rung(next, literal_ratio);
    const bool pays =
        options_.max_depth || rung_pays(port_.link(), static_cast<double>(answer.gap_bytes) * literal_ratio);
    send_answer(answer.finer_ranges > 0 && pays ? searcher.rung() : 0, answer.pair_bytes, std::move(answer.bits));
  }

  /// Where the target's chunks stand in the basis.
  void place_pieces(const std::vector<HolderPiece>& pieces) {
    std::uint64_t position = 0;
    for (const HolderPiece& piece : pieces) {
      if (piece.matched) kept_.push_back({position, piece.first, piece.count});
      position += piece.count;
    }
  }

  struct KeptRun {
    std::uint64_t target;
    std::uint64_t basis;
    std::uint64_t count;
  };

  /// Where the basis has the target's bytes that the ladder found.
  static std::function<std::optional<ByteRange>(std::uint64_t)> make_locate(const LadderSearcher& searcher) {
    struct Occurrence {
      std::uint64_t target;
      std::uint64_t first_place;
      std::uint64_t length;
    };
    struct Places {
      std::vector<Occurrence> occurrences;
      std::vector<BlockMatch> matches;
    };
    auto places = std::make_shared<Places>();
    places->matches = searcher.by_holder();
    std::uint64_t position = 0;
    for (const HolderPiece& piece : searcher.pieces()) {
      if (piece.matched) {
        position += searcher.own_bytes(piece);
      } else {
        const std::uint64_t length = searcher.lacking_length(piece.first);
        places->occurrences.push_back({position, searcher.first_place(piece.first), length});
        position += length;
      }
    }
    return [places = std::shared_ptr<const Places>(places)](std::uint64_t target) -> std::optional<ByteRange> {
      const auto& occurrences = places->occurrences;
      auto found = std::upper_bound(occurrences.begin(), occurrences.end(), target,
                                    [](std::uint64_t at, const Occurrence& o) { return at < o.target; });
      if (found == occurrences.begin() || target - (--found)->target >= found->length) return std::nullopt;
      const std::uint64_t inside = target - found->target;
      const std::uint64_t holder = found->first_place + inside;
      const auto& matches = places->matches;
      auto match = std::upper_bound(matches.begin(), matches.end(), holder,
                                    [](std::uint64_t at, const BlockMatch& m) { return at < m.holder; });
      if (match == matches.begin() || holder - (--match)->holder >= match->length) return std::nullopt;
      const std::uint64_t skip = holder - match->holder;
      return ByteRange{match->own + skip, std::min(match->length - skip, found->length - inside)};
    };
  }

  /// The basis as the patch names it.
  PatchBasis patch_basis() {
    PatchBasis basis;
    basis.source = target_.basis;
    basis.chunk_offsets = offsets_of(*basis_chunks_);
    if (ladder_) basis.locate = make_locate(ladder_->searcher());
    basis.locate_chunk = [kept = std::make_shared<const std::vector<KeptRun>>(std::move(kept_))](
                             std::uint64_t index) -> std::optional<std::uint64_t> {
      auto run = std::upper_bound(kept->begin(), kept->end(), index,
                                  [](std::uint64_t at, const KeptRun& r) { return at < r.target; });
      if (run == kept->begin()) return std::nullopt;
      --run;
      if (index - run->target >= run->count) return std::nullopt;
      return run->basis + (index - run->target);
    };
    return basis;
  }

  void open_draft(std::function<void()> then) {
    auto opened = std::make_shared<Result<std::unique_ptr<DownloadDraft>>>(nullptr);
    port_.run(
        Lane::kDisk,
        [opened, open = target_.open_draft, basis = target_.basis, chunks = basis_chunks_] {
          *opened = open(basis, chunks);
        },
        [this, opened, then = std::move(then)] {
          if (!*opened) return port_.fail(opened->error());
          draft_ = std::move(**opened);
          then();
        });
  }

  void receive(PatchBasis basis) {
    port_.set_window(kDownloadWindow);
    receiver_.emplace(
        port_, toolbox_, std::move(basis), draft_, version_->bytes, [this](const Digest& root) { verify(root); },
        [this](Error error) { port_.fail(std::move(error)); });
    const Buffer early = std::exchange(early_, {});
    if (early.empty()) return;
    if (auto status = receiver_->on_data(early); !status) port_.fail(status.error());
  }

  /// The basis is the version, but stands elsewhere: its chunks from `first` on are copied, some at a time.
  void copy_basis(std::uint64_t first) {
    std::uint64_t count = 0;
    for (std::uint64_t bytes = 0; first + count < basis_chunks_->size() && bytes < kCopyBytes; ++count)
      bytes += (*basis_chunks_)[first + count].length;
    if (count == 0) return verify(version_->token.root);
    auto copied = std::make_shared<Status>();
    port_.run(
        Lane::kDisk, [copied, first, count, draft = draft_] { *copied = draft->keep(first, count); },
        [this, copied, next = first + count] {
          if (!*copied) return port_.fail(copied->error());
          copy_basis(next);
        });
  }

  /// The draft's own chunks must give the root that the server named.
  void verify(const Digest& root) {
    struct Proof {
      Status status;
      bool wrong = false;
    };
    auto proof = std::make_shared<Proof>();
    port_.run(
        Lane::kDisk,
        [proof, draft = draft_, version = *version_, root, factory = toolbox_.hasher] {
          const auto hasher = factory();
          const auto built_root = root_of(*draft, *hasher);
          if (!built_root) {
            proof->status = fail(built_root.error());
            return;
          }
          if (*built_root != root || root != version.token.root) {
            proof->wrong = true;
            return;
          }
          proof->status = draft->commit(version);
        },
        [this, proof] {
          if (proof->wrong) {
            if (target_.on_wrong) target_.on_wrong(draft_, result(false));
            return port_.fail(
                {Code::kIntegrity, "What arrived is not what the server has; nothing was replaced; try again."});
          }
          if (!proof->status) return port_.fail(proof->status.error());
          committed_ = true;
          // DONE may still be on its way: who closes before it is read resets the connection and leaves its bytes out
          // of the count.
          if (done_received_) complete(false);
        });
  }

  TransferResult result(bool unchanged) const {
    TransferResult result;
    result.version = *version_;
    result.unchanged = unchanged;
    result.round_trips = round_trips_;
    if (receiver_) {
      result.literal_bytes = receiver_->applier().literal_bytes();
      result.matched_bytes = receiver_->applier().matched_bytes();
      result.zero_bytes = receiver_->applier().zero_bytes();
    } else {
      result.matched_bytes = version_->bytes;
    }
    return result;
  }

  void complete(bool unchanged) {
    const auto self = shared_from_this();
    port_.finish();
    report(result(unchanged));
  }

  void report(Result<TransferResult> result) {
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
  }

  StreamPort& port_;
  DownloadTarget target_;
  TransferOptions options_;
  Toolbox toolbox_;
  TransferDone done_;
  TransferObserver observer_;
  std::optional<TargetScan> scan_;
  std::unique_ptr<Hasher> hasher_;
  ChunkTreeBuilder builder_;
  ChunkTree tree_;
  std::shared_ptr<ChunkList> basis_chunks_;
  std::optional<Version> version_;
  std::optional<TreeSearcher> searcher_;
  std::optional<LadderClient> ladder_;
  std::uint64_t seed_ = 0;
  std::vector<KeptRun> kept_;
  std::shared_ptr<DownloadDraft> draft_;
  std::optional<PatchReceiver> receiver_;
  Bulk bulk_;
  Buffer early_;
  std::uint64_t nodes_level_ = 0;
  std::uint64_t nodes_count_ = 0;
  std::uint64_t received_ = 0;
  std::uint32_t round_trips_ = 0;
  bool awaiting_rung_ = false;
  bool patch_ = false;
  bool committed_ = false;      ///< the new version is in its place
  bool done_received_ = false;  ///< the server has said its last word
};

}  // namespace

std::shared_ptr<Conversation> make_download(StreamPort& port, DownloadTarget target, const TransferOptions& options,
                                            const Toolbox& toolbox, TransferDone done, TransferObserver observer) {
  auto download =
      std::make_shared<DownloadClient>(port, std::move(target), options, toolbox, std::move(done), std::move(observer));
  download->start();
  return download;
}

}  // namespace millrace
