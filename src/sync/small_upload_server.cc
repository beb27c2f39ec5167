#include "sync/small_upload_server.h"

#include "delta/draft_root.h"
#include "delta/patch_applier.h"
#include "sync/expected_version.h"
#include "sync/upload_errors.h"

namespace millrace {

namespace {

constexpr std::uint64_t kMaxOverhead = 64u << 10;  ///< of instructions, headers and a coding that does not help
constexpr int kMaxMisses = 2;                      ///< patches with a wrong root

/// What its one job is given and gives; shared with it, so that it may outlive the conversation.
struct Work {
  std::shared_ptr<Store> store;
  Toolbox toolbox;
  Principal principal;
  wire::UploadFields request;
  std::vector<ReceivedPart> parts;
  std::uint64_t window = 0;
  Addressing addressing = Addressing::kBasis;
  std::optional<Digest> announced;   ///< root of what the patch makes
  std::optional<Expected> expected;  ///< what the first attempt saw
  /// Its own, for a commit that ends after the conversation: nothing else may live on the committer's thread.
  std::shared_ptr<Result<Version>> version = std::make_shared<Result<Version>>(Version());
  bool wrong_root = false;
  bool is_there = false;  ///< something else was expected, but what came is there already
  TransferCounts counts;

  void run(const std::function<void()>& finished);
  Status expect();
  Status build(std::shared_ptr<StoreDraft>& draft, Hasher& hasher, Digest& root);
};

/// What is replaced. Looks up what is there only where it matters.
Status Work::expect() {
  if (expected) return {};
  if (request.expected && request.expected->kind == Expected::Kind::kAny) {
    expected = request.expected;
    return {};
  }
  MILLRACE_ASSIGN(const auto current, store->lookup(principal, request.path));
  auto replaced = expected_version(request, current ? &*current : nullptr);
  is_there = !replaced && current && current->token.root == announced;
  if (is_there) {
    *version = *current;
    return {};
  }
  MILLRACE_ASSIGN(expected, std::move(replaced));
  return {};
}

/// Without an error, `wrong_root` and `is_there` the draft is what the client has.
Status Work::build(std::shared_ptr<StoreDraft>& draft, Hasher& hasher, Digest& root) {
  MILLRACE_TRY(expect());
  if (is_there) return {};
  DraftRequest begin;
  begin.path = request.path;
  begin.expected = *expected;
  begin.upload_id = request.upload_id;
  begin.attempt = request.attempt;
  begin.bytes = request.bytes;
  MILLRACE_ASSIGN(draft, store->begin(principal, begin));
  PatchApplier applier({}, *draft, request.bytes);
  const auto codec = toolbox.codec();
  for (ReceivedPart& part : parts) {
    MILLRACE_TRY(applier.apply(std::move(part), window, addressing, hasher, *codec));
  }
  counts = {applier.matched_bytes(), applier.literal_bytes(), applier.zero_bytes()};
  MILLRACE_ASSIGN(root, root_of(*draft, hasher));
  wrong_root = root != announced;
  if (!wrong_root && applier.has_wrong_cut()) return fail(wrong_cuts());
  return {};
}

void Work::run(const std::function<void()>& finished) {
  wrong_root = false;
  std::shared_ptr<StoreDraft> draft;
  Digest root;
  const auto hasher = toolbox.hasher();
  const Status built = build(draft, *hasher, root);
  parts.clear();
  if (built && !wrong_root && !is_there) {
    draft->commit(root, draft->size(), request.attributes, [result = version, finished](Result<Version> committed) {
      *result = std::move(committed);
      finished();
    });
    return;
  }
  if (draft) draft->discard();
  if (!built) *version = fail(built.error());
  finished();
}

class SmallUploadServer final : public Conversation {
 public:
  SmallUploadServer(StreamPort& port, const ServerContext& context, const Principal& principal,
                    wire::UploadFields request)
      : port_(port), work_(std::make_shared<Work>()) {
    work_->store = context.store;
    work_->toolbox = context.toolbox;
    work_->principal = principal;
    work_->request = std::move(request);
  }

  void start() {
    port_.admit([this] {
      admitted_ = true;
      held_ = port_.charge(0);
      const Buffer early = std::exchange(early_, {});
      if (early.empty()) return;
      if (auto status = take(early); !status) port_.fail(status.error());
    });
  }

  Status on_message(FrameType type, ByteView payload) override {
    // The patch stands behind the request; only another one is announced.
    if (type != FrameType::kPatch || misses_ == 0 || !waiting_for_patch_)
      return fail(Code::kProtocol, "The client sent a message that an upload does not expect.");
    MILLRACE_ASSIGN(const auto patch, wire::decode<wire::Patch>(payload));
    if (patch.repair) return fail(Code::kProtocol, "A repair came that was not asked for.");
    waiting_for_patch_ = false;
    return {};
  }

  Status on_data(ByteView bytes) override {
    if (admitted_) return take(bytes);
    // Until it is its turn at most the stream's window, whose credit is not given back.
    append(early_, bytes);
    return {};
  }

  bool holds_memory() const override { return !running_ && (received_ > 0 || waiting_for_patch_); }
  void on_closed(const Error&) override {}

 private:
  Status take(ByteView bytes) {
    if (running_ || waiting_for_patch_) return fail(Code::kProtocol, "Bytes arrived after the end of a patch.");
    // Given back at once: what is held is bounded by the upload's size, and many uploads share one connection's credit.
    port_.release_credit(bytes.size());
    received_ += bytes.size();
    held_.resize(received_);
    if (received_ > work_->request.bytes + kMaxOverhead)
      return fail(Code::kTooLarge, "A patch makes a longer file than was announced.");
    while (!bytes.empty()) {
      if (running_) return fail(Code::kProtocol, "Bytes arrived after the end of a patch.");
      MILLRACE_ASSIGN(auto part, assembler_.feed(bytes));
      if (!part) return {};
      MILLRACE_ASSIGN(work_->announced, root_in(*part));
      work_->parts.push_back(std::move(*part));
      if (work_->announced) run();
    }
    return {};
  }

  /// In the part that ends the patch.
  Result<std::optional<Digest>> root_in(const ReceivedPart& part) {
    cursor_.addressing = assembler_.addressing();
    MILLRACE_ASSIGN(const PartPlan plan, decode_instructions(part.instructions, part.raw_bytes, cursor_));
    return plan.root;
  }

  void run() {
    running_ = true;
    work_->window = assembler_.prefix_window();
    work_->addressing = assembler_.addressing();
    port_.run_deferred(
        Lane::kDisk, [work = work_](const std::function<void()>& finished) { work->run(finished); },
        [this] { on_end(); });
  }

  void on_end() {
    held_.resize(0);
    port_.note_counts(work_->counts);
    const Result<Version>& version = *work_->version;
    if (!version) return port_.fail(version.error());
    if (work_->wrong_root) return ask_again();
    wire::Done message;
    message.version = *version;
    message.unchanged = work_->is_there;
    port_.send_last(message);
  }

  /// All of it: that is little.
  void ask_again() {
    port_.note_event(TransferEvent::kWrongRoot);
    if (++misses_ > kMaxMisses) return port_.fail(not_as_announced(work_->request.path));
    assembler_ = PartAssembler();
    cursor_ = {};
    received_ = 0;
    running_ = false;
    waiting_for_patch_ = true;
    port_.note_event(TransferEvent::kAsksAll);
    port_.send(wire::Mismatch());
  }

  StreamPort& port_;
  std::shared_ptr<Work> work_;
  PartAssembler assembler_;
  PatchCursor cursor_;
  Buffer early_;
  bool admitted_ = false;
  MemoryCharge held_;  ///< what has been received, until it has become a draft
  std::uint64_t received_ = 0;
  int misses_ = 0;
  bool running_ = false;
  bool waiting_for_patch_ = false;  ///< of the next attempt
};

}  // namespace

std::shared_ptr<Conversation> make_small_upload_server(StreamPort& port, const ServerContext& context,
                                                       const Principal& principal, wire::UploadFields request) {
  auto upload = std::make_shared<SmallUploadServer>(port, context, principal, std::move(request));
  upload->start();
  return upload;
}

}  // namespace millrace
