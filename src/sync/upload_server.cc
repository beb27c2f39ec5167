#include "sync/upload_server.h"

#include <algorithm>

#include "delta/tree_exchange.h"
#include "sync/bulk.h"
#include "sync/node_reply.h"
#include "sync/patch_receiver.h"
#include "sync/signer.h"
#include "sync/upload_errors.h"

namespace millrace {

namespace {

constexpr std::uint64_t kUploadWindow = 4u << 20;
constexpr std::uint64_t kLeastAhead = 16u << 20;  ///< smaller ones are copied in some milliseconds
constexpr std::uint64_t kAheadBytes = 8u << 20;   ///< of one job

/// The stages: look up the basis; answer with it; (tree exchange); (ladder); receive the patch; commit. What arrives
/// while a job runs that it needs (a patch in the same flight as its request) is held, bounded by the stream's window.
class UploadServer final : public Conversation {
 public:
  UploadServer(StreamPort& port, const ServerContext& context, const Principal& principal, UploadKind kind,
               wire::UploadFields request)
      : port_(port),
        context_(context),
        jobs_(std::make_shared<UploadJobs>(
            UploadJobs{context.store, context.toolbox.hasher, principal, kind, std::move(request)})) {}

  void start() {
    port_.admit([this] { begin(); });
  }

 private:
  void begin() {
    auto found = std::make_shared<Result<UploadBeginning>>(UploadBeginning());
    port_.run(
        Lane::kCatalogue, [found, jobs = jobs_] { *found = jobs->begin(); },
        [this, found] {
          if (!*found) return port_.fail(std::move(*found).error());
          begun(std::move(**found));
        });
  }

  void begun(UploadBeginning found) {
    if (found.is_same) return done(*found.current, true);
    expected_ = found.expected;
    basis_ = found.basis;
    seed_ = found.seed;
    if (found.resumes) port_.note_event(TransferEvent::kResumes);
    if (jobs_->kind == UploadKind::kDelta) answer(std::move(found.tree));
    if (!found.draft) return;
    take_draft(std::move(*found.draft));
    // What differs is copied for the most part: while the client looks for what to keep, nothing else waits for it.
    if (basis_ && !found.resumes && basis_->size() >= kLeastAhead) {
      copy_ahead(context_.copy_ahead);
    } else {
      receive();
    }
  }

  void answer(std::optional<BasisTree> tree) {
    wire::Basis answer;
    NodesAnswer nodes;
    if (basis_) {
      answer.version = basis_->version();
      answer.seed = seed_;
    }
    if (tree) {
      nodes = hold(std::move(*tree));
      answer.level = nodes.level;
      answer.count = nodes.count;
      answer.bulk_bytes = nodes.bulk.size();
    }
    port_.send(answer);
    if (!nodes.bulk.empty()) port_.send_data(SharedBytes::of(std::move(nodes.bulk)));
  }

 public:
  Status on_message(FrameType type, ByteView payload) override {
    if (type == FrameType::kDescend && basis_ && !patch_started_ && !bits_.active()) {
      MILLRACE_ASSIGN(const auto descend, wire::decode<wire::Descend>(payload));
      if (descend.start) {
        load_tree();
        return {};
      }
      if (!holder_) return fail(Code::kProtocol, "Tree nodes were asked for before the first ones.");
      return bits_.expect(descend.bulk_bytes, kMaxBitsBytes);
    }
    if (type == FrameType::kSign && holder_ && !patch_started_ && !bits_.active()) {
      MILLRACE_ASSIGN(sign_, wire::decode<wire::Sign>(payload));
      if (sign_.rung == 0 || sign_.rung != (signer_ ? signer_->holder().rung() : 0) + 1)
        return fail(Code::kProtocol, "An unknown rung was asked for.");
      return bits_.expect(sign_.bulk_bytes, kMaxBitsBytes);
    }
    if (type == FrameType::kPatch && !patch_started_ && (basis_ || receiver_ || opening_ || misses_ > 0)) {
      MILLRACE_ASSIGN(const auto patch, wire::decode<wire::Patch>(payload));
      if (patch.repair != repairing_)
        return fail(Code::kProtocol, "A repair came that was not asked for, or something else in its place.");
      patch_started_ = true;
      if (!receiver_ && !opening_) open_draft();
      return {};
    }
    return fail(Code::kProtocol, "The client sent a message that an upload does not expect.");
  }

  Status on_data(ByteView bytes) override {
    if (bits_.active()) {
      bits_.feed(bytes, port_);
      if (bits_.complete()) {
        const Buffer bits = bits_.take();
        if (sign_.rung > 0) {
          MILLRACE_TRY(sign(bits));
        } else {
          MILLRACE_ASSIGN(NodesAnswer nodes, holder_->descend(bits));
          send_nodes(port_, std::move(nodes));
        }
      }
      if (bytes.empty()) return {};
    }
    if (receiver_) return receiver_->on_data(bytes);
    // Early bytes: at most the stream's window of them, whose credit is not given back before they are applied.
    append(early_, bytes);
    return {};
  }

  MutableBytes data_space() override { return receiver_ && !bits_.active() ? receiver_->data_space() : MutableBytes(); }

  Status on_writable() override {
    if (signer_) signer_->pump();
    return {};
  }

  bool holds_memory() const override { return bits_.active() || (receiver_ && receiver_->in_part()); }

  void on_closed(const Error& error) override {
    const bool is_useless =
        error.code == Code::kCancelled || error.code == Code::kIntegrity || error.code == Code::kProtocol;
    if (draft_ && is_useless) draft_->discard();
  }

 private:
  /// The searcher's bits for the chunks (before rung 1) or for the last rung's blocks.
  Status sign(const Buffer& bits) {
    if (!signer_) {
      MILLRACE_TRY(holder_->finish(bits));
      std::vector<ByteRange> lacking;
      for (const std::uint32_t chunk : holder_->lacking())
        lacking.push_back({tree_.chunk_offsets[chunk], tree_.chunk_offsets[chunk + 1] - tree_.chunk_offsets[chunk]});
      signer_.emplace(port_, basis_, KnownContent{context_.signatures, basis_->version().token.root},
                      std::move(lacking), seed_, context_.match_margin_bits,
                      [this](Error error) { port_.fail(std::move(error)); });
    } else {
      if (!signer_->idle()) return fail(Code::kProtocol, "A rung was answered before it was signed.");
      MILLRACE_TRY(signer_->holder().take_answer(bits));
    }
    return signer_->begin(sign_.block_bytes, sign_.pair_bytes);
  }

  NodesAnswer hold(BasisTree tree) {
    tree_ = std::move(tree);
    holder_.emplace(tree_.tree, jobs_->request.bytes);
    return holder_->start();
  }

  void load_tree() {
    auto loaded = std::make_shared<Result<BasisTree>>(BasisTree());
    port_.run(
        Lane::kCatalogue, [loaded, jobs = jobs_, basis = basis_] { *loaded = jobs->load_tree(*basis); },
        [this, loaded] {
          if (!*loaded) return port_.fail(std::move(*loaded).error());
          send_nodes(port_, hold(std::move(**loaded)));
        });
  }

  void open_draft() {
    opening_ = true;
    auto opened = std::make_shared<Result<OpenDraft>>(OpenDraft());
    port_.run(
        Lane::kCatalogue,
        [opened, jobs = jobs_, expected = expected_, basis = basis_] { *opened = jobs->open_draft(expected, basis); },
        [this, opened] {
          if (!*opened) return port_.fail(std::move(*opened).error());
          take_draft(std::move(**opened));
          receive();
        });
  }

  void take_draft(OpenDraft open) {
    opening_ = true;
    draft_ = std::move(open.draft);
    patch_basis_ = std::move(open.basis);
  }

  /// Until the patch begins, at most `bytes` more.
  void copy_ahead(std::uint64_t bytes) {
    if (bytes == 0 || patch_started_) return receive();
    const std::uint64_t now = std::min(bytes, kAheadBytes);
    auto more = std::make_shared<Result<bool>>(false);
    port_.run(
        Lane::kDisk, [more, draft = draft_, now] { *more = draft->copy_ahead(now); },
        [this, more, left = bytes - now] {
          if (!*more) return port_.fail(std::move(*more).error());
          copy_ahead(**more ? left : 0);
        });
  }

  /// The patch, from its beginning on; what came of it already.
  void receive() {
    port_.set_window(std::min(kUploadWindow, port_.slice()));
    const wire::UploadFields& request = jobs_->request;
    const auto proof = std::make_shared<UploadProof>();
    receiver_.emplace(
        port_, context_.toolbox, std::move(patch_basis_), draft_, request.size_unknown ? kMaxFileBytes : request.bytes,
        [this, proof](const Digest&) { on_proof(std::move(*proof)); },
        [this](Error error) { port_.fail(std::move(error)); },
        [jobs = jobs_, draft = draft_, proof, is_first = misses_ == 0](const Digest& root, const PatchApplier& applier,
                                                                       bool repaired, std::function<void()> finished) {
          *proof = {};
          jobs->prove(draft, root, applier, is_first && !repaired, proof, std::move(finished));
        });
    const Buffer early = std::exchange(early_, {});
    if (early.empty()) return;
    if (auto status = receiver_->on_data(early); !status) port_.fail(status.error());
  }

  void on_proof(UploadProof proof) {
    if (!proof.version) return port_.fail(std::move(proof.version).error());
    if (!proof.right) return ask_for_repair(std::move(proof.built));
    done(*proof.version, false);
  }

  /// A match was false, or kept chunks are not what the client took them for: first the wrong chunks are asked for,
  /// then everything.
  void ask_for_repair(Buffer built) {
    port_.note_event(TransferEvent::kWrongRoot);
    if (++misses_ > 2) return port_.fail(not_as_announced(jobs_->request.path));
    patch_started_ = false;
    wire::Mismatch message;
    repairing_ = misses_ == 1 && !built.empty();
    port_.note_event(repairing_ ? TransferEvent::kAsksChunks : TransferEvent::kAsksAll);
    if (repairing_) {
      receiver_->start_repair();
      message.bulk_bytes = built.size();
    } else {
      misses_ = 2;
      draft_->discard();
      receiver_.reset();
      draft_.reset();
      basis_.reset();
      opening_ = false;
    }
    port_.send(message);
    if (repairing_) port_.send_data(SharedBytes::of(std::move(built)));
  }

  void done(const Version& version, bool unchanged) {
    wire::Done message;
    message.version = version;
    message.unchanged = unchanged;
    port_.send_last(message);
  }

  StreamPort& port_;
  ServerContext context_;
  std::shared_ptr<const UploadJobs> jobs_;
  Expected expected_;
  std::shared_ptr<const StoredFile> basis_;
  BasisTree tree_;
  std::optional<TreeHolder> holder_;
  std::optional<Signer> signer_;
  wire::Sign sign_;
  std::uint64_t seed_ = 0;
  int misses_ = 0;          ///< patches whose root was wrong
  bool repairing_ = false;  ///< the next patch is a repair
  std::shared_ptr<StoreDraft> draft_;
  PatchBasis patch_basis_;  ///< until the receiver has it
  std::optional<PatchReceiver> receiver_;
  Bulk bits_;
  Buffer early_;
  bool patch_started_ = false;
  bool opening_ = false;  ///< there is a draft, or one is on its way
};

}  // namespace

std::shared_ptr<Conversation> make_upload_server(StreamPort& port, const ServerContext& context,
                                                 const Principal& principal, UploadKind kind,
                                                 wire::UploadFields request) {
  auto upload = std::make_shared<UploadServer>(port, context, principal, kind, std::move(request));
  upload->start();
  return upload;
}

}  // namespace millrace
