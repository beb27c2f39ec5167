#include "sync/upload_server.h"

#include <algorithm>

#include "base/path.h"
#include "delta/draft_root.h"
#include "delta/tree_exchange.h"
#include "sync/bulk.h"
#include "sync/expected_version.h"
#include "sync/node_reply.h"
#include "sync/patch_receiver.h"
#include "sync/signer.h"
#include "sync/upload_errors.h"

namespace millrace {

namespace {

constexpr std::uint64_t kUploadWindow = 4u << 20;

/// The stages: look up the basis; answer with it; (tree exchange); (ladder); receive the patch; commit. What arrives
/// while a job runs that it needs (a patch in the same flight as its request) is held, bounded by the stream's window.
class UploadServer final : public Conversation {
 public:
  UploadServer(StreamPort& port, const ServerContext& context, const Principal& principal, UploadKind kind,
               wire::UploadFields request)
      : port_(port),
        context_(context),
        store_(context.store),
        toolbox_(context.toolbox),
        principal_(principal),
        kind_(kind),
        request_(std::move(request)) {}

  void start() {
    port_.admit([this] { begin(); });
  }

 private:
  void begin() {
    struct Found {
      Result<std::optional<Version>> version = std::nullopt;
      std::shared_ptr<const StoredFile> file;
      std::shared_ptr<const StoredFile> basis;  ///< the file, or what an upload left that was cut off
      Status status;
      std::uint64_t seed = 0;
      bool same = false;
    };
    auto found = std::make_shared<Found>();
    port_.run(
        Lane::kCatalogue,
        [found, store = store_, principal = principal_, request = request_, kind = kind_] {
          found->version = store->lookup(principal, request.path);
          if (!found->version) return;
          const std::optional<Version>& version = *found->version;
          if (version && request.root && version->token.root == *request.root) {
            found->same = true;
            // Somebody else's, or an earlier attempt's whose answer was lost: it is there, and stays as it is.
            if (!expected_version(request, &*version)) return;
            auto updated = store->set_attributes(principal, request.path, *request.root, request.attributes);
            if (updated) {
              found->version = std::optional<Version>(*updated);
            } else {
              found->status = fail(std::move(updated).error());
            }
            return;
          }
          if (kind == UploadKind::kWhole) return;
          if (version) {
            auto file = store->open(principal, request.path);
            if (!file) {
              found->status = fail(std::move(file).error());
              return;
            }
            found->file = *file;
          }
          found->basis = store->upload_basis(principal, request.path, request.bytes, found->file);
          if (found->basis) found->seed = store->signature_seed(principal);
        },
        [this, found] {
          if (!found->version) return port_.fail(found->version.error());
          if (!found->status) return port_.fail(found->status.error());
          const auto& version = *found->version;
          if (found->same) return done(*version, true);
          const Version* current = found->file ? &found->file->version() : version ? &*version : nullptr;
          const auto expected = expected_version(request_, current);
          if (!expected) return port_.fail(expected.error());
          expected_ = *expected;
          if (kind_ == UploadKind::kWhole) return open_draft();
          basis_ = found->basis;
          seed_ = found->seed;
          if (basis_ != found->file) port_.note_event(TransferEvent::kResumes);
          wire::Basis answer;
          if (!basis_) {
            port_.send(answer);
            return open_draft();
          }
          answer.version = basis_->version();
          answer.seed = found->seed;
          if (!request_.root) {
            port_.send(answer);
            return;
          }
          load_tree([this, answer]() mutable {
            const NodesAnswer nodes = holder_->start();
            answer.level = nodes.level;
            answer.count = nodes.count;
            answer.bulk_bytes = nodes.bulk.size();
            port_.send(answer);
            if (!nodes.bulk.empty()) port_.send_data(SharedBytes::of(nodes.bulk));
          });
        });
  }

 public:
  Status on_message(FrameType type, ByteView payload) override {
    if (type == FrameType::kDescend && basis_ && !patch_started_ && !bits_.active()) {
      MILLRACE_ASSIGN(const auto descend, wire::decode<wire::Descend>(payload));
      if (descend.start) {
        load_tree([this] { send_nodes(port_, holder_->start()); });
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
        lacking.push_back({chunk_offsets_[chunk], chunk_offsets_[chunk + 1] - chunk_offsets_[chunk]});
      signer_.emplace(port_, basis_, KnownContent{context_.signatures, basis_->version().token.root},
                      std::move(lacking), seed_, context_.match_margin_bits,
                      [this](Error error) { port_.fail(std::move(error)); });
    } else {
      if (!signer_->idle()) return fail(Code::kProtocol, "A rung was answered before it was signed.");
      MILLRACE_TRY(signer_->holder().take_answer(bits));
    }
    return signer_->begin(sign_.block_bytes, sign_.pair_bytes);
  }

  std::string printable_path() const { return printable(request_.path); }

  /// Loads the basis's chunk list and tree, then goes on.
  void load_tree(std::function<void()> then) {
    struct Loaded {
      Result<std::shared_ptr<const ChunkList>> chunks = nullptr;
      ChunkTree tree;
    };
    auto loaded = std::make_shared<Loaded>();
    port_.run(
        Lane::kCatalogue,
        [loaded, file = basis_, factory = toolbox_.hasher] {
          loaded->chunks = file->chunks();
          if (!loaded->chunks) return;
          const auto hasher = factory();
          loaded->tree = build_tree(**loaded->chunks, *hasher);
        },
        [this, loaded, then = std::move(then)] {
          if (!loaded->chunks) return port_.fail(loaded->chunks.error());
          tree_ = std::move(loaded->tree);
          chunk_offsets_ = offsets_of(**loaded->chunks);
          holder_.emplace(tree_, request_.bytes);
          then();
        });
  }

  void open_draft() {
    opening_ = true;
    struct Opened {
      Result<std::unique_ptr<StoreDraft>> draft = nullptr;
      PatchBasis basis;
    };
    auto opened = std::make_shared<Opened>();
    DraftRequest request;
    request.path = request_.path;
    request.expected = expected_;
    request.upload_id = request_.upload_id;
    request.attempt = request_.attempt;
    request.bytes = request_.size_unknown ? 0 : request_.bytes;
    request.basis = basis_;
    port_.run(
        Lane::kCatalogue,
        [opened, request, store = store_, principal = principal_] {
          opened->draft = store->begin(principal, request);
          if (!opened->draft || !request.basis) return;
          opened->basis.source = request.basis;
          const auto chunks = request.basis->chunks();
          if (!chunks) {
            opened->draft = fail(chunks.error());
            return;
          }
          opened->basis.chunk_offsets = offsets_of(**chunks);
        },
        [this, opened] {
          if (!opened->draft) return port_.fail(opened->draft.error());
          draft_ = std::move(*opened->draft);
          port_.set_window(std::min(kUploadWindow, port_.slice()));
          const std::uint64_t limit = request_.size_unknown ? kMaxFileBytes : request_.bytes;
          receiver_.emplace(
              port_, toolbox_, std::move(opened->basis), draft_, limit, [this](const Digest& root) { prove(root); },
              [this](Error error) { port_.fail(std::move(error)); });
          const Buffer early = std::exchange(early_, {});
          if (early.empty()) return;
          if (auto status = receiver_->on_data(early); !status) port_.fail(status.error());
        });
  }

  /// The patch has ended: what was built must have the root that it names.
  void prove(const Digest& root) {
    struct Proof {
      Result<Version> version = Version();
      Status status;
      bool right = false;
      Buffer built;  ///< of a wrong draft: 8 bytes of digest for each chunk that was built
    };
    auto proof = std::make_shared<Proof>();
    port_.run_deferred(
        {Lane::kDisk, Urgency::kMetadata},
        [proof, draft = draft_, root, attributes = request_.attributes, built = receiver_->applier().built_chunks(),
         wrong_cut = misses_ == 0 && receiver_->applier().has_wrong_cut(),
         factory = toolbox_.hasher](std::function<void()> finished) {
          const auto hasher = factory();
          const auto built_root = root_of(*draft, *hasher);
          if (!built_root) {
            proof->status = fail(built_root.error());
            return finished();
          }
          proof->right = *built_root == root;
          if (proof->right && !wrong_cut) {
            draft->commit(root, draft->size(), attributes, [proof, finished](Result<Version> version) {
              proof->version = std::move(version);
              finished();
            });
            return;
          }
          if (proof->right) {
            proof->status = fail(wrong_cuts());
          } else {
            for (const std::uint64_t index : built)
              append_le(proof->built, draft->chunk_at(index).value().digest.prefix());
          }
          finished();
        },
        [this, proof] {
          if (!proof->status) return port_.fail(proof->status.error());
          if (!proof->right) return ask_for_repair(std::move(proof->built));
          if (!proof->version) return port_.fail(proof->version.error());
          done(*proof->version, false);
        });
  }

  /// A match was false, or kept chunks are not what the client took them for: first the wrong chunks are asked for,
  /// then everything.
  void ask_for_repair(Buffer built) {
    port_.note_event(TransferEvent::kWrongRoot);
    if (++misses_ > 2) return port_.fail(not_as_announced(request_.path));
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
  std::shared_ptr<Store> store_;
  Toolbox toolbox_;
  Principal principal_;
  UploadKind kind_;
  wire::UploadFields request_;
  Expected expected_;
  std::shared_ptr<const StoredFile> basis_;
  ChunkTree tree_;
  std::vector<std::uint64_t> chunk_offsets_;  ///< of the basis, and its end
  std::optional<TreeHolder> holder_;
  std::optional<Signer> signer_;
  wire::Sign sign_;
  std::uint64_t seed_ = 0;
  int misses_ = 0;          ///< patches whose root was wrong
  bool repairing_ = false;  ///< the next patch is a repair
  std::shared_ptr<StoreDraft> draft_;
  std::optional<PatchReceiver> receiver_;
  Bulk bits_;
  Buffer early_;
  bool patch_started_ = false;
  bool opening_ = false;
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
