#include "simulation/store_story.h"

#include <algorithm>

#include "simulation/paths_and_contents.h"
#include "simulation/simulated_machine.h"
#include "simulation/write_ends.h"
#include "support/chunks.h"

namespace millrace::simulation {

namespace {

constexpr std::size_t kMostDrafts = 4;
constexpr std::uint64_t kMostStoreOperations = 2000;  ///< of the disk between two crashes

class StoreStory {
 public:
  explicit StoreStory(Simulation& simulation)
      : simulation_(simulation), random_(simulation.random), machine_(simulation), ends_(simulation) {}

  void run() {
    store_ = machine_.start(0);
    machine_.arm(kMostStoreOperations);
    for (std::uint64_t actions = 30 + random_.below(100); actions > 0; --actions) {
      act();
      simulation_.clock.pass(
          static_cast<std::int64_t>(random_.below(random_.below(4) == 0 ? 5'000'000'000 : 5'000'000)));
      if (machine_.volume().is_dead() || (machine_.has_stopped() && simulation_.chance(3)) || simulation_.chance(60)) {
        restart(2);
        machine_.arm(kMostStoreOperations);
      }
    }
    restart(1);
    machine_.volume().faults = {};
    check_end(simulation_, machine_.volume(), *store_);
    store_.reset();
  }

 private:
  struct OpenDraft {
    std::unique_ptr<StoreDraft> draft;
    std::string path;
    Expected expected;
    FileModel::ContentId content = 0;
    ChunkList chunks;
    std::size_t next_chunk = 0;
    std::uint64_t next_byte = 0;
    std::map<Digest, std::uint64_t> basis;
  };

  bool is_dead() { return machine_.volume().is_dead(); }

  void restart(int may_crash) {
    // A server that ends by itself commits what waits; one that is killed does nothing any more.
    if (simulation_.chance(4)) machine_.volume().die();
    simulation_.note(is_dead() ? "crash" : "end");
    drafts_.clear();
    store_.reset();
    machine_.end_run();
    store_ = machine_.start(may_crash);
    check_store(simulation_, machine_.volume(), *store_);
  }

  void act() {
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
        return begin();
      case 3:
      case 4:
      case 5:
      case 6:
        return go_on();
      case 7:
        if (!drafts_.empty())
          drafts_.erase(drafts_.begin() + static_cast<std::ptrdiff_t>(random_.below(drafts_.size())));
        return;
      case 8:
      case 9:
      case 10:
        (void)store_->commit_next();
        return;
      case 11:
        (void)store_->flush();
        return;
      case 12:
        return simulation_.chance(4) ? remove_folder() : remove();
      case 13:
        return simulation_.chance(4) ? move_folder() : move();
      case 14:
        return simulation_.chance(2) ? read() : set_attributes();
      default:
        machine_.volume().faults.is_full = simulation_.chance(4);
        (void)store_->sweep_partials();
        (void)store_->sweep_chunk_lists();
        return;
    }
  }

  /// The content at a path, if it can be read.
  std::optional<FileModel::ContentId> current(const std::string& path) {
    const auto since = simulation_.model.now();
    const auto version = store_->lookup({}, path);
    if (!version || is_dead()) return std::nullopt;
    const auto id = *version ? simulation_.model.find((*version)->token.root) : FileModel::kAbsent;
    if (!simulation_.model.found(path, id, since))
      simulation_.fail("lookup finds content " + std::to_string(id) + " at " + path + ":\n" +
                       simulation_.model.describe(path));
    return id;
  }

  Expected random_expectation(std::optional<FileModel::ContentId> now) {
    if (!now || simulation_.chance(3)) return {};
    if (*now == FileModel::kAbsent) return {Expected::Kind::kNone, {}};
    return {Expected::Kind::kRoot, simulation_.model.content(*now).root};
  }

  void begin() {
    if (drafts_.size() >= kMostDrafts) return;
    OpenDraft open;
    open.path = random_path(random_);
    const auto now = current(open.path);
    open.expected = random_expectation(now);
    open.content = now && *now != FileModel::kAbsent && simulation_.chance(10)
                       ? *now
                       : new_content(simulation_, now.value_or(FileModel::kAbsent));
    const FileModel::Content& content = simulation_.model.content(open.content);
    open.chunks = test::chunks_of(content.bytes);
    DraftRequest request;
    request.path = open.path;
    request.expected = open.expected;
    request.bytes = content.bytes.size();
    if (simulation_.chance(3)) request.upload_id[0] = static_cast<Byte>(1 + random_.below(2));
    request.attempt = random_.below(3);
    if (!simulation_.chance(4)) {
      auto stored = store_->open({}, open.path);
      request.basis = store_->upload_basis({}, open.path, content.bytes.size(), stored ? *stored : nullptr);
      if (request.basis) {
        if (const auto chunks = request.basis->chunks()) {
          for (std::size_t i = 0; i < (*chunks)->size(); ++i) open.basis.emplace((**chunks)[i].digest, i);
        } else {
          request.basis = nullptr;
        }
      }
    }
    auto draft = store_->begin({}, request);
    if (!draft) return;
    open.draft = std::move(*draft);
    drafts_.push_back(std::move(open));
  }

  void go_on() {
    if (drafts_.empty()) return;
    const auto at = drafts_.begin() + static_cast<std::ptrdiff_t>(random_.below(drafts_.size()));
    OpenDraft& open = *at;
    if (open.next_chunk == 0 && simulation_.chance(4)) {
      if (!open.draft->copy_ahead(1 + random_.below(1u << 20))) drafts_.erase(at);
      return;
    }
    const ByteView bytes = simulation_.model.content(open.content).bytes;
    for (std::uint64_t steps = 1 + random_.below(8); steps > 0 && open.next_chunk < open.chunks.size(); --steps) {
      const Chunk& chunk = open.chunks[open.next_chunk++];
      const auto kept = open.basis.find(chunk.digest);
      const ByteView piece = bytes.subspan(open.next_byte, chunk.length);
      const Status added =
          kept != open.basis.end() ? open.draft->keep(kept->second, 1) : open.draft->add({&chunk, 1}, piece);
      open.next_byte += chunk.length;
      if (!added) {
        if (added.error().code == Code::kIntegrity) simulation_.fail(added.error().sentence);
        drafts_.erase(at);
        return;
      }
    }
    if (open.next_chunk < open.chunks.size()) return;
    commit(open);
    drafts_.erase(at);
  }

  void commit(OpenDraft& open) {
    const FileModel::Content& content = simulation_.model.content(open.content);
    const auto write = ends_.begin(open.path, open.content, open.expected);
    simulation_.note("commit " + open.path);
    open.draft->commit(content.root, content.bytes.size(), {simulation_.clock.now(), 0640},
                       [this, write](Result<Version> result) {
                         if (!is_dead()) ends_.ended(write, result);
                       });
  }

  void remove() {
    const std::string path = random_path(random_);
    const auto now = current(path);
    Expected expected = random_expectation(now);
    if (expected.kind == Expected::Kind::kNone) expected = {};
    simulation_.note("remove " + path);
    const auto write = simulation_.model.begin_removal(path);
    const Status done = store_->remove({}, path, Recursive::kNo, expected);
    end({write}, done);
  }

  void remove_folder() {
    const std::string folder = random_folder(random_);
    simulation_.note("remove " + folder);
    std::vector<FileModel::WriteId> writes;
    for (const std::string& path : paths_below(folder)) writes.push_back(simulation_.model.begin_removal(path));
    const Status done = store_->remove({}, folder, Recursive::kYes, {});
    end(writes, done);
  }

  void move() {
    const std::string from = random_path(random_);
    const std::string to = random_path(random_);
    if (from == to) return;
    simulation_.note("move " + from + " to " + to);
    const auto came = simulation_.model.begin_move(from, to);
    const auto went = simulation_.model.begin_removal(from);
    const Status done = store_->move({}, from, to, simulation_.chance(2) ? Force::kYes : Force::kNo);
    end({came, went}, done);
  }

  void move_folder() {
    const std::string from = random_folder(random_);
    const std::string to = random_folder(random_);
    if (from == to) return;
    simulation_.note("move " + from + " to " + to);
    std::vector<FileModel::WriteId> writes;
    for (std::size_t i = 0; i < paths_below(from).size(); ++i) {
      writes.push_back(simulation_.model.begin_copy(paths_below(from)[i], paths_below(to)[i]));
      writes.push_back(simulation_.model.begin_removal(paths_below(from)[i]));
    }
    const Status done = store_->move({}, from, to, Force::kNo);
    end(writes, done);
  }

  void end(const std::vector<FileModel::WriteId>& writes, const Status& done) {
    if (is_dead()) return;
    if (!done) simulation_.note("no: " + done.error().sentence);
    const bool is_refused = !done && writes.size() <= 2 && is_refusal(done.error());
    for (const auto write : writes) {
      if (done) simulation_.model.acknowledged(write);
      if (is_refused) simulation_.model.refused(write);
    }
  }

  void read() {
    const std::string path = random_path(random_);
    const auto since = simulation_.model.now();
    const auto file = store_->open({}, path);
    if (!file || is_dead()) return;
    Buffer bytes((*file)->size());
    if (!(*file)->read_at(0, bytes)) return;
    const auto id = simulation_.model.find((*file)->version().token.root);
    if (!simulation_.model.found(path, id, since) || bytes != simulation_.model.content(id).bytes)
      simulation_.fail("what is read of " + path + " cannot be");
  }

  void set_attributes() {
    const std::string path = random_path(random_);
    const auto version = store_->lookup({}, path);
    if (!version || !*version) return;
    const Attributes attributes{static_cast<std::int64_t>(random_.below(2'000'000'000)) * 1'000'000'000, 0600};
    (void)store_->set_attributes({}, path, (*version)->token.root, attributes);
  }

  Simulation& simulation_;
  SeededRandom& random_;
  SimulatedMachine machine_;
  WriteEnds ends_;
  std::shared_ptr<LocalStore> store_;
  std::vector<OpenDraft> drafts_;
};

}  // namespace

void run_store_story(Simulation& simulation) {
  StoreStory(simulation).run();
}

}  // namespace millrace::simulation
