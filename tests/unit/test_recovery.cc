// Every operation of the store is interrupted at every one of its disk operations, in three ways: that operation fails
// and the store goes on; the process ends there; the power fails there and what was not flushed is lost. Afterwards the
// store is opened again.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "store/directory_store.h"
#include "support/bytes.h"
#include "support/faulty_disk.h"
#include "support/store_files.h"

using namespace millrace;
using test::Faults;
namespace fs = std::filesystem;

namespace {

const Buffer kOld = test::random_bytes(70'000, 1);
const Buffer kNew = test::random_bytes(90'000, 2);
const Buffer kSmall = test::random_bytes(500, 3);
const Buffer kOtherSmall = test::random_bytes(700, 4);
/// Each commit is followed by its checkpoint, or checkpoints come only where a test asks.
constexpr Committer::Due kAtOnce{1, 1};
constexpr Committer::Due kLater{};
constexpr Attributes kNewAttributes{2'000'000'000, 0600};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

enum class Interruption { kFailure, kFull, kKill, kPowerLoss };

struct Fixture {
  Fixture() : folder(in_memory() / ("millrace-recovery-" + std::to_string(getpid()))) {}
  /// Power cuts are simulated: real flushes would only take their time, a thousand times.
  static fs::path in_memory() { return fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path(); }
  ~Fixture() {
    if (faults) faults->before = nullptr;  // what it looks at is gone with the test's own variables
    store.reset();
    fs::remove_all(folder);
  }
  void start_empty() {
    store.reset();
    fs::remove_all(folder);
    REQUIRE(try_open(std::make_shared<Faults>()));
  }
  Status try_open(std::shared_ptr<Faults> with) {
    store.reset();
    faults = std::move(with);
    MILLRACE_ASSIGN(DataFolder opened, open_data_folder(folder));
    opened.disk = std::make_unique<test::FaultyDisk>(std::move(opened.disk), faults);
    const auto hasher = [this] {
      if (hashing) std::exchange(hashing, nullptr)();
      return make_sha256();
    };
    StoreOptions options{durability,
                         SeededRandom(seed++),
                         hasher,
                         nullptr,
                         [this](const std::string& sentence) { reports.push_back(sentence); },
                         boot,
                         Committing::kInline,
                         due};
    options.trash = trash;
    MILLRACE_ASSIGN(store, open_directory_store(std::move(opened), folder / "catalogue.sqlite", std::move(options)));
    return {};
  }
  void reopen() { REQUIRE(try_open(std::make_shared<Faults>())); }
  std::string content_of(const std::string& path) const { return read_file(folder / "files" / path); }
  bool exists(const std::string& path) const { return fs::exists(folder / "files" / path); }
  /// What is stored is what the catalogue says, and nothing lies about.
  void check_sound() {
    CHECK(test::staged_files(folder) == 0);
    const Listing listing = store->list({}, "", Recursive::kYes, "", 100).value();
    for (const Entry& entry : listing.entries) {
      if (entry.kind != EntryKind::kFile) continue;
      INFO(entry.path);
      CHECK(store->stat({}, entry.path));
      CHECK(store->verify({}, entry.path));
    }
  }
  /// Interrupts `operation` at each of its disk operations; `check` gets whether it was acknowledged.
  void interrupt_everywhere(const std::function<void()>& prepare, const std::function<Status()>& operation,
                            const std::function<void(bool acknowledged)>& check) {
    for (const auto how :
         {Interruption::kFailure, Interruption::kFull, Interruption::kKill, Interruption::kPowerLoss}) {
      for (std::size_t at = 0;; ++at) {
        INFO("interruption " << static_cast<int>(how) << " at operation " << at);
        REQUIRE(at < 200);
        start_empty();
        prepare();
        reopen();
        interruption = how;
        const bool dies = how == Interruption::kKill || how == Interruption::kPowerLoss;
        faults->arm(dies ? Faults::Kind::kCrash : Faults::Kind::kFailOnce, at,
                    how == Interruption::kFull ? ENOSPC : EIO);
        const bool acknowledged = operation().has_value();
        const bool hit = faults->hit;
        if (how == Interruption::kPowerLoss) {
          faults->cut_power();
          ++boot;
        }
        reopen();
        check_sound();
        check(acknowledged);
        CHECK(test::put_file(*store, "later", kNew));
        if (!hit) {
          CHECK(acknowledged);
          CHECK(at > 1);
          break;
        }
      }
    }
  }
  /// The trash has the content, unless a full disk or a power cut, which it is not flushed against, took it.
  bool is_in_trash(const std::string& path, const Buffer& content) {
    if (interruption == Interruption::kFull || interruption == Interruption::kPowerLoss) return true;
    const auto listing = store->list_trash({}, path, "", 100).value();
    return std::any_of(listing.entries.begin(), listing.entries.end(), [&](const TrashedEntry& trashed) {
      return read_file(folder / "trash" / trashed_path({trashed.entry.path, trashed.trashed_ns})) == as_text(content);
    });
  }
  fs::path folder;
  Interruption interruption = Interruption::kFailure;
  std::uint64_t seed = 1;
  std::uint64_t boot = 1;
  Durability durability = Durability::kFull;
  Committer::Due due = kAtOnce;
  TrashLimits trash;
  std::function<void()> hashing;  ///< once, when the store asks for a hasher
  std::vector<std::string> reports;
  std::shared_ptr<Faults> faults;
  std::unique_ptr<Store> store;
};

Status status_of(const Result<Version>& result) {
  if (!result) return fail(result.error());
  return {};
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a new file in new folders is there as a whole or not at all") {
  interrupt_everywhere([] {}, [&] { return status_of(test::put_file(*store, "a/b/new", kNew, {}, kNewAttributes)); },
                       [&](bool acknowledged) {
                         const auto found = store->lookup({}, "a/b/new").value();
                         if (acknowledged) REQUIRE(found);
                         CHECK(exists("a/b/new") == found.has_value());
                         if (!found) return;
                         CHECK(content_of("a/b/new") == as_text(kNew));
                         CHECK(found->attributes == kNewAttributes);
                       });
}

TEST_CASE_METHOD(Fixture, "a replaced file has its old or its new version, with the attributes of that one") {
  interrupt_everywhere([&] { REQUIRE(test::put_file(*store, "f", kOld)); },
                       [&] { return status_of(test::put_file(*store, "f", kNew, {}, kNewAttributes)); },
                       [&](bool acknowledged) {
                         const auto found = store->lookup({}, "f").value();
                         REQUIRE(found);
                         const bool is_new = content_of("f") == as_text(kNew);
                         CHECK((is_new || content_of("f") == as_text(kOld)));
                         if (acknowledged) CHECK(is_new);
                         if (is_new) CHECK(is_in_trash("f", kOld));
                         CHECK(found->attributes == (is_new ? kNewAttributes : Attributes{1'000'000'000, 0640}));
                       });
}

TEST_CASE_METHOD(Fixture, "what was acknowledged and not yet flushed is kept by its pending row, small or large") {
  due = kLater;
  const Buffer& content = GENERATE(true, false) ? kSmall : kNew;
  const bool replaces = GENERATE(true, false);
  interrupt_everywhere(
      [&] {
        if (replaces) REQUIRE(test::put_file(*store, "a/f", kOld));
      },
      [&] {
        const Status done = status_of(test::put_file(*store, "a/f", content, {}, kNewAttributes));
        (void)store->flush();
        return done;
      },
      [&](bool acknowledged) {
        const auto found = store->lookup({}, "a/f").value();
        if (acknowledged || replaces) REQUIRE(found);
        CHECK(exists("a/f") == found.has_value());
        if (!found) return;
        const bool is_new = content_of("a/f") == as_text(content);
        if (acknowledged) CHECK(is_new);
        if (!is_new) CHECK(content_of("a/f") == as_text(kOld));
        if (is_new) CHECK(found->attributes == kNewAttributes);
      });
}

TEST_CASE_METHOD(Fixture, "of two versions that no checkpoint came between, the last acknowledged one stays") {
  due = kLater;
  const Buffer& first = GENERATE(true, false) ? kSmall : kNew;
  const Buffer& second = GENERATE(true, false) ? kOtherSmall : kOld;
  const bool replaces = GENERATE(true, false);
  const Buffer before = test::random_bytes(1'000, 9);
  bool first_done = false;
  interrupt_everywhere(
      [&] {
        if (replaces) REQUIRE(test::put_file(*store, "f", before));
      },
      [&] {
        first_done = test::put_file(*store, "f", first).has_value();
        const Status done = status_of(test::put_file(*store, "f", second));
        (void)store->flush();
        return done;
      },
      [&](bool acknowledged) {
        const bool is_first = exists("f") && content_of("f") == as_text(first);
        const bool is_second = exists("f") && content_of("f") == as_text(second);
        if (acknowledged) CHECK(is_second);
        if (first_done) CHECK((is_first || is_second));
        if (exists("f") && !is_first && !is_second) CHECK(content_of("f") == as_text(before));
      });
}

TEST_CASE_METHOD(Fixture, "a delete or a move right behind a commit is not undone by a power cut") {
  due = kLater;
  const bool moves = GENERATE(true, false);
  interrupt_everywhere([&] { REQUIRE(test::put_file(*store, "f", kOld)); },
                       [&] {
                         if (Status put = status_of(test::put_file(*store, "f", kSmall)); !put) return put;
                         return moves ? store->move({}, "f", "g", Force::kNo)
                                      : store->remove({}, "f", Recursive::kNo, {});
                       },
                       [&](bool acknowledged) {
                         if (acknowledged) CHECK_FALSE(exists("f"));
                         if (acknowledged && moves) CHECK(content_of("g") == as_text(kSmall));
                         if (exists("f")) {
                           const bool whole = content_of("f") == as_text(kSmall) || content_of("f") == as_text(kOld);
                           CHECK(whole);
                         }
                       });
}

TEST_CASE_METHOD(Fixture, "with durability batch a power cut leaves a whole version, the last one or the one before") {
  durability = Durability::kBatch;
  due = kLater;
  const bool names_written = GENERATE(true, false);
  const bool flushed = GENERATE(true, false);
  start_empty();
  REQUIRE(test::put_file(*store, "f", kOld));
  REQUIRE(store->flush());
  REQUIRE(test::put_file(*store, "f", kNew));
  if (flushed) REQUIRE(store->flush());
  if (names_written) faults->names.clear();
  faults->cut_power();
  ++boot;
  reopen();
  check_sound();
  CHECK(content_of("f") == as_text(flushed ? kNew : kOld));
}

TEST_CASE_METHOD(Fixture, "after a power cut the trash has what was replaced, and nothing damaged") {
  due = kLater;
  const bool again = GENERATE(false, true);
  start_empty();
  REQUIRE(test::put_file(*store, "f", kOtherSmall));
  REQUIRE(store->flush());
  REQUIRE(test::put_file(*store, "f", kSmall, {}, kNewAttributes));
  faults->names.clear();  // the kernel wrote the names, not the contents
  faults->cut_power();
  ++boot;
  if (again) {
    auto interrupted = std::make_shared<Faults>();
    interrupted->before = [faults = interrupted.get()](std::string_view operation) {
      if (operation == "truncate") faults->dead = true;
    };
    REQUIRE_FALSE(try_open(interrupted));
    ++boot;
  }
  reopen();
  check_sound();
  CHECK(content_of("f") == as_text(kSmall));
  CHECK(store->lookup({}, "f").value()->attributes == kNewAttributes);
  const auto trashed = store->list_trash({}, "", "", 10).value().entries;
  REQUIRE(trashed.size() == 1);
  CHECK(read_file(folder / "trash" / trashed_path({"f", trashed[0].trashed_ns})) == as_text(kOtherSmall));
}

TEST_CASE_METHOD(Fixture, "an exchange in steps that was interrupted is ended or begun again") {
  due = kLater;
  start_empty();
  REQUIRE(test::put_file(*store, "f", kOld));
  REQUIRE(store->flush());
  SECTION("before its last step") {
    REQUIRE(test::put_file(*store, "f", kNew));
    faults->dead = true;
    for (const auto& entry : fs::recursive_directory_iterator(folder / "staging")) {
      if (entry.is_regular_file()) fs::rename(entry.path(), entry.path().string() + ".old");
    }
    const bool theirs = GENERATE(false, true);
    if (theirs) {
      for (const auto& entry : fs::recursive_directory_iterator(folder / "staging"))
        if (entry.is_regular_file()) std::ofstream(entry.path()) << "theirs";
    }
    reopen();
    check_sound();
    CHECK(content_of("f") == (theirs ? "theirs" : as_text(kNew)));
    if (!theirs) CHECK(is_in_trash("f", kOld));
  }
  SECTION("before its second step") {
    std::ofstream(folder / "staging/x") << "new";
    fs::create_hard_link(folder / "files/f", folder / "staging/x.old");
    const int staging = ::open((folder / "staging").c_str(), O_PATH | O_DIRECTORY);
    const int files = ::open((folder / "files").c_str(), O_PATH | O_DIRECTORY);
    CHECK(exchange_in_steps(staging, "x", files, "f"));
    ::close(staging);
    ::close(files);
    CHECK(content_of("f") == "new");
    CHECK(read_file(folder / "staging/x") == as_text(kOld));
    CHECK_FALSE(fs::exists(folder / "staging/x.old"));
  }
}

TEST_CASE_METHOD(Fixture, "what another program wrote right behind a commit is not undone by a restart of the server") {
  due = kLater;
  start_empty();
  REQUIRE(test::put_file(*store, "f", kSmall));
  std::ofstream(folder / "files/f") << "theirs";
  const bool seen = GENERATE(true, false);
  if (seen) CHECK(store->lookup({}, "f").value()->bytes == 6);
  faults->dead = true;
  reopen();
  check_sound();
  CHECK(content_of("f") == "theirs");
}

TEST_CASE_METHOD(Fixture, "a commit or another program's change in the middle of a verification is no damage") {
  start_empty();
  const auto before = test::put_file(*store, "f", kOld).value();
  const bool commits = GENERATE(true, false);
  if (!commits) hashing = [&] { std::ofstream(folder / "files/f") << "theirs"; };
  int opened = 0;
  faults->before = [&](std::string_view operation) {
    if (operation != "open" || ++opened != 2 || !commits) return;
    CHECK(test::put_file(*store, "f", kNew));
  };
  const auto verified = store->verify({}, "f");
  faults->before = nullptr;
  if (commits) CHECK(verified.value().token == before.token);
  if (!commits) CHECK(verified.error().code == Code::kSourceChanged);
}

TEST_CASE_METHOD(Fixture, "the kernel may forget what was replaced, unless it would write it first for nothing") {
  const auto dropped = [&](const Buffer& first, const Buffer& second) {
    start_empty();
    int calls = 0;
    faults->before = [&](std::string_view operation) { calls += operation == "drop_cached" ? 1 : 0; };
    CHECK(test::put_file(*store, "f", first));
    CHECK(calls == 0);
    CHECK(test::put_file(*store, "f", second));
    faults->before = nullptr;
    CHECK(content_of("f") == as_text(second));
    return calls;
  };
  const bool has_trash = GENERATE(true, false);
  if (!has_trash) trash.keep = std::chrono::nanoseconds(0);
  due = kLater;
  CHECK(dropped(kOld, kNew) == 1);
  CHECK(dropped(kSmall, kNew) == 0);
  durability = Durability::kNone;
  CHECK(dropped(kOld, kNew) == (has_trash ? 1 : 0));
}

TEST_CASE_METHOD(Fixture, "descriptors that ran out stop nothing") {
  due = kLater;
  start_empty();
  REQUIRE(test::put_file(*store, "f", kSmall));
  faults->arm(Faults::Kind::kFailOnce, 0, EMFILE);
  CHECK_FALSE(store->flush());
  CHECK(store->flush());
  CHECK(test::staged_files(folder) == 0);
  faults->before = [&](std::string_view operation) {
    if (operation == "rename" && !faults->hit) faults->arm(Faults::Kind::kFailOnce, 0, EMFILE);
  };
  faults->hit = false;
  CHECK(test::put_file(*store, "g", kSmall));
  CHECK(faults->hit);
}

TEST_CASE_METHOD(Fixture, "a deleted file is there or gone") {
  interrupt_everywhere([&] { REQUIRE(test::put_file(*store, "d/f", kOld)); },
                       [&] { return store->remove({}, "d/f", Recursive::kNo, {}); },
                       [&](bool acknowledged) {
                         const auto found = store->lookup({}, "d/f").value();
                         CHECK(exists("d/f") == found.has_value());
                         if (acknowledged) CHECK_FALSE(found);
                         if (found) CHECK(content_of("d/f") == as_text(kOld));
                         if (!found) CHECK(is_in_trash("d/f", kOld));
                       });
}

TEST_CASE_METHOD(Fixture, "a version that is restored is in the trash, at its place, or in both") {
  interrupt_everywhere(
      [&] {
        REQUIRE(test::put_file(*store, "d/f", kOld));
        REQUIRE(store->remove({}, "d/f", Recursive::kNo, {}));
      },
      [&] { return status_of(store->restore({}, "d/f", 0, "d/f", Force::kNo)); },
      [&](bool acknowledged) {
        const auto found = store->lookup({}, "d/f").value();
        CHECK(exists("d/f") == found.has_value());
        if (acknowledged) REQUIRE(found);
        if (found) CHECK(content_of("d/f") == as_text(kOld));
        const auto kept = store->list_trash({}, "d/f", "", 10).value().entries;
        if (!found) REQUIRE(kept.size() == 1);
        for (const TrashedEntry& trashed : kept)
          CHECK(read_file(folder / "trash" / trashed_path({"d/f", trashed.trashed_ns})) == as_text(kOld));
      });
}

TEST_CASE_METHOD(Fixture, "of a deleted folder each file is there whole or gone") {
  const std::vector<std::string> names{"d/a", "d/b", "d/e/f", "d/e/g"};
  interrupt_everywhere(
      [&] {
        for (const std::string& name : names) REQUIRE(test::put_file(*store, name, kOld));
      },
      [&] { return store->remove({}, "d", Recursive::kYes, {}); },
      [&](bool acknowledged) {
        if (acknowledged) CHECK_FALSE(exists("d"));
        for (const std::string& name : names) {
          const auto found = store->lookup({}, name).value();
          CHECK(exists(name) == found.has_value());
          if (found) CHECK(content_of(name) == as_text(kOld));
          if (!found) CHECK(is_in_trash(name, kOld));
        }
      });
}

TEST_CASE_METHOD(Fixture, "a moved file is at one of its two places") {
  interrupt_everywhere([&] { REQUIRE(test::put_file(*store, "from", kOld)); },
                       [&] { return store->move({}, "from", "to/there", Force::kNo); },
                       [&](bool acknowledged) {
                         CHECK(exists("from") != exists("to/there"));
                         if (acknowledged) CHECK(exists("to/there"));
                         const std::string path = exists("from") ? "from" : "to/there";
                         CHECK(content_of(path) == as_text(kOld));
                         CHECK(store->lookup({}, path).value());
                         CHECK_FALSE(store->lookup({}, path == "from" ? "to/there" : "from").value());
                       });
}

TEST_CASE_METHOD(Fixture, "a forced move replaces what was there, or leaves both") {
  const bool is_folder = GENERATE(true, false);
  const std::string from = is_folder ? "from/a" : "from";
  const std::string to = is_folder ? "to/a" : "to";
  interrupt_everywhere(
      [&] {
        REQUIRE(test::put_file(*store, from, kOld));
        REQUIRE(test::put_file(*store, "to", kNew));
      },
      [&] { return store->move({}, "from", "to", Force::kYes); },
      [&](bool acknowledged) {
        if (acknowledged) CHECK_FALSE(exists(from));
        CHECK(content_of(exists(from) ? from : to) == as_text(kOld));
        if (exists(from)) CHECK(content_of("to") == as_text(kNew));
      });
}

TEST_CASE_METHOD(Fixture, "a moved folder is at one of its two places, with all that is in it") {
  interrupt_everywhere(
      [&] {
        REQUIRE(test::put_file(*store, "from/a", kOld));
        REQUIRE(test::put_file(*store, "from/b/c", kNew));
      },
      [&] { return store->move({}, "from", "to", Force::kNo); },
      [&](bool acknowledged) {
        CHECK(exists("from") != exists("to"));
        if (acknowledged) CHECK(exists("to"));
        const std::string folder_now = exists("from") ? "from" : "to";
        CHECK(content_of(folder_now + "/a") == as_text(kOld));
        CHECK(content_of(folder_now + "/b/c") == as_text(kNew));
      });
}

TEST_CASE_METHOD(Fixture, "attributes are the old or the new ones, both of them") {
  Digest root;
  interrupt_everywhere([&] { root = test::put_file(*store, "f", kOld).value().token.root; },
                       [&] { return status_of(store->set_attributes({}, "f", root, kNewAttributes)); },
                       [&](bool acknowledged) {
                         const auto found = store->lookup({}, "f").value();
                         REQUIRE(found);
                         CHECK(found->token.root == root);
                         if (acknowledged) CHECK(found->attributes == kNewAttributes);
                         const bool old = found->attributes == Attributes{1'000'000'000, 0640};
                         CHECK((old || found->attributes == kNewAttributes));
                         struct stat on_disk {};
                         REQUIRE(::stat((folder / "files/f").c_str(), &on_disk) == 0);
                         CHECK((on_disk.st_mode & 0777) == (old ? 0640 : 0600));
                         CHECK(on_disk.st_mtim.tv_sec == (old ? 1 : 2));
                       });
}

TEST_CASE_METHOD(Fixture, "recovery may be interrupted at each of its operations, and is then done again") {
  for (std::size_t at = 0;; ++at) {
    INFO("crash at operation " << at);
    bool was_hit = false;
    for (std::size_t again = 0;; ++again) {
      INFO("recovery crashes at operation " << again);
      start_empty();
      REQUIRE(test::put_file(*store, "f", kOld));
      reopen();
      faults->arm(Faults::Kind::kCrash, at);
      const bool acknowledged = test::put_file(*store, "f", kNew).has_value();
      was_hit = faults->hit;
      faults->cut_power();
      ++boot;
      auto second = std::make_shared<Faults>();
      second->arm(Faults::Kind::kCrash, again);
      const bool recovered = try_open(second).has_value();
      reopen();
      check_sound();
      const bool is_new = content_of("f") == as_text(kNew);
      CHECK((is_new || content_of("f") == as_text(kOld)));
      if (acknowledged) CHECK(is_new);
      if (recovered && !second->hit) break;
      REQUIRE(again < 100);
    }
    if (!was_hit) break;
  }
}

TEST_CASE_METHOD(Fixture, "another program's file that takes the place during a commit is kept") {
  const bool replaces = GENERATE(false, true);
  const bool crashes = GENERATE(false, true);
  start_empty();
  if (replaces) REQUIRE(test::put_file(*store, "f", kOld));
  bool done = false;
  faults->before = [&](std::string_view operation) {
    if (done || operation != (replaces ? "exchange" : "rename")) return;
    done = true;
    std::ofstream(folder / "foreign") << "theirs";
    fs::rename(folder / "foreign", folder / "files/f");
    if (crashes) faults->dead = true;
  };
  const auto result = test::put_file(*store, "f", kNew);
  REQUIRE_FALSE(result);
  REQUIRE(done);
  reports.clear();
  if (!crashes) {
    CHECK(result.error().code == Code::kConflict);
    CHECK(store->lookup({}, "f").value()->bytes == 6);
    CHECK(test::put_file(*store, "g", kNew));
  }
  reopen();
  CHECK(reports.size() == (crashes ? 1 : 0));
  check_sound();
  CHECK(content_of("f") == "theirs");
  CHECK(store->lookup({}, "f").value()->bytes == 6);
}

TEST_CASE_METHOD(Fixture, "another program's file at the new place of a move is kept, and the store goes on") {
  start_empty();
  REQUIRE(test::put_file(*store, "from", kOld));
  faults->before = [&](std::string_view operation) {
    if (operation == "rename") std::ofstream(folder / "files/to") << "theirs";
  };
  CHECK(store->move({}, "from", "to", Force::kNo).error().code == Code::kConflict);
  faults->before = nullptr;
  CHECK(content_of("to") == "theirs");
  CHECK(store->lookup({}, "from").value()->bytes == kOld.size());
  CHECK(test::put_file(*store, "g", kNew));
  check_sound();
}

TEST_CASE_METHOD(Fixture, "a catalogue that is gone or damaged is made again from the files, in a new epoch") {
  const bool damaged = GENERATE(false, true);
  start_empty();
  const auto before = test::put_file(*store, "a/f", kOld).value();
  store.reset();
  for (const char* name : {"catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"})
    fs::remove(folder / name);
  if (damaged) std::ofstream(folder / "catalogue.sqlite") << std::string(20'000, 'x');
  reopen();
  CHECK(reports.size() == (damaged ? 1 : 0));
  const auto found = store->lookup({}, "a/f").value();
  REQUIRE(found);
  CHECK(found->token.root == before.token.root);
  CHECK(found->token.epoch != before.token.epoch);
  CHECK(found->attributes == before.attributes);
}

TEST_CASE_METHOD(Fixture, "a failed transaction stops all writing until a restart; a full disk only fails") {
  start_empty();
  REQUIRE(test::put_file(*store, "f", kOld));
  std::string_view seen;
  bool done = false;
  faults->before = [&](std::string_view operation) {
    if (operation != "transaction" || done) return;
    done = true;
    faults->arm(Faults::Kind::kFailOnce, 0, seen == "full" ? ENOSPC : EIO);
  };
  seen = "full";
  CHECK(test::put_file(*store, "f", kNew).error().code == Code::kQuota);
  CHECK(reports.empty());
  CHECK(test::put_file(*store, "f", kNew));
  done = false;
  seen = "broken";
  CHECK_FALSE(test::put_file(*store, "f", kOld));
  CHECK(reports.size() == 1);
  CHECK(test::put_file(*store, "g", kOld).error().sentence.find("stopped writing") != std::string::npos);
  CHECK_FALSE(store->remove({}, "f", Recursive::kNo, {}));
  CHECK_FALSE(store->move({}, "f", "g", Force::kNo));
  CHECK(store->lookup({}, "f").value()->bytes == kNew.size());
  reopen();
  check_sound();
  CHECK(test::put_file(*store, "g", kOld));
}

TEST_CASE_METHOD(Fixture, "a folder's flush that fails stops writing, a file's only its own upload") {
  start_empty();
  std::string_view which;
  bool done = false;
  faults->before = [&](std::string_view operation) {
    if (operation != which || done) return;
    done = true;
    faults->arm(Faults::Kind::kFailOnce, 0);
  };
  which = "fsync";
  CHECK_FALSE(test::put_file(*store, "f", kNew));
  CHECK(test::put_file(*store, "f", kNew));
  done = false;
  which = "fsync_folder";
  CHECK_FALSE(test::put_file(*store, "f", kOld));
  CHECK(reports.size() == 1);
  CHECK_FALSE(test::put_file(*store, "g", kOld));
}

TEST_CASE_METHOD(Fixture,
                 "files that were never flushed are read again after the machine went down, not after a clean end") {
  durability = Durability::kNone;
  const bool clean = GENERATE(false, true);
  const bool machine = GENERATE(false, true);
  start_empty();
  const auto before = test::put_file(*store, "f", kNew).value();
  faults->names.clear();  // the kernel wrote the names, not the contents
  if (!clean && machine) faults->cut_power();
  faults->dead = !clean;
  if (machine) ++boot;
  reopen();
  const auto now = store->lookup({}, "f").value();
  REQUIRE(now);
  CHECK((now->token == before.token) == (clean || !machine));
  CHECK(store->verify({}, "f"));
}

TEST_CASE_METHOD(Fixture, "what the file system refuses to one client is taken back and stops nobody else") {
  const int error = GENERATE(EACCES, EPERM, EROFS, EXDEV, EBUSY, ENOSPC, EDQUOT);
  const Code code = error == ENOSPC || error == EDQUOT ? Code::kQuota : Code::kNotAllowed;
  const bool is_new = GENERATE(true, false);
  start_empty();
  if (!is_new) REQUIRE(test::put_file(*store, "f", kOld));
  const auto before = store->lookup({}, "f").value();
  faults->refused = {{"rename into files", error}, {"exchange", error}};
  CHECK(test::put_file(*store, "f", kNew).error().code == code);
  CHECK(test::put_file(*store, "f", kSmall).error().code == code);
  faults->refused.clear();
  CHECK(reports.empty());
  const auto check_unchanged = [&] {
    const auto now = store->lookup({}, "f").value();
    REQUIRE(now.has_value() == !is_new);
    CHECK(exists("f") == !is_new);
    if (is_new) return;
    CHECK(now->token.root == before->token.root);
    CHECK(now->attributes == before->attributes);
    CHECK(content_of("f") == as_text(kOld));
  };
  check_unchanged();
  CHECK(test::put_file(*store, "g", kNew));
  REQUIRE(store->flush());
  CHECK(test::staged_files(folder) == 0);
  reopen();
  CHECK(reports.empty());
  check_sound();
  check_unchanged();
  CHECK(test::put_file(*store, "f", kNew));
}

TEST_CASE_METHOD(Fixture, "a move, a delete and new attributes that the file system refuses are taken back") {
  start_empty();
  REQUIRE(test::put_file(*store, "d/f", kOld));
  REQUIRE(test::put_file(*store, "d/e/g", kNew));
  REQUIRE(test::put_file(*store, "target", kSmall));
  const auto before = store->lookup({}, "d/f").value();
  int renames = 0;
  Status done;
  SECTION("a move of a file") {
    faults->refused = {{"rename into files", EACCES}};
    done = store->move({}, "d/f", "other", Force::kNo);
  }
  SECTION("a move of a folder") {
    faults->refused = {{"rename into files", EXDEV}};
    done = store->move({}, "d", "other", Force::kNo);
  }
  SECTION("what a move is to replace") {
    faults->refused = {{"rename into trash", EACCES}};
    done = store->move({}, "d/f", "target", Force::kYes);
  }
  SECTION("a move behind the removal of what it replaces") {
    // The first is that of the target into the trash, the third brings it back.
    faults->before = [&](std::string_view operation) {
      if (operation != "rename") return;
      faults->refused.clear();
      if (++renames == 2) faults->refused = {{"rename", EPERM}};
    };
    done = store->move({}, "d/f", "target", Force::kYes);
    faults->before = nullptr;
  }
  SECTION("a delete") {
    faults->refused = {{"rename into trash", EPERM}};
    done = store->remove({}, "d/f", Recursive::kNo, {});
  }
  SECTION("a delete of a folder") {
    faults->refused = {{"rename into trash", EPERM}};
    done = store->remove({}, "d", Recursive::kYes, {});
  }
  SECTION("attributes") {
    faults->refused = {{"set_attributes", EPERM}};
    done = status_of(store->set_attributes({}, "d/f", before->token.root, kNewAttributes));
  }
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::kNotAllowed);
  faults->refused.clear();
  CHECK(reports.empty());
  for (const bool again : {false, true}) {
    if (again) reopen();
    const auto now = store->lookup({}, "d/f").value();
    REQUIRE(now);
    CHECK(now->token.root == before->token.root);
    CHECK(now->attributes == before->attributes);
    CHECK(content_of("d/f") == as_text(kOld));
    CHECK(content_of("d/e/g") == as_text(kNew));
    CHECK(content_of("target") == as_text(kSmall));
    CHECK(store->lookup({}, "target").value());
    CHECK_FALSE(store->lookup({}, "other").value());
    CHECK(test::put_file(*store, "later", kSmall));
    check_sound();
  }
  CHECK(reports.empty());
}

TEST_CASE_METHOD(Fixture, "a folder that cannot be written is seen before anything is recorded") {
  start_empty();
  REQUIRE(test::put_file(*store, "d/f", kOld));
  const auto before = store->lookup({}, "d/f").value();
  int transactions = 0;
  faults->before = [&](std::string_view operation) { transactions += operation == "transaction"; };
  faults->refused = {{"may_change", EACCES}};
  CHECK(test::put_file(*store, "d/f", kNew).error().code == Code::kNotAllowed);
  CHECK(store->move({}, "d/f", "d/g", Force::kNo).error().code == Code::kNotAllowed);
  CHECK(store->remove({}, "d/f", Recursive::kNo, {}).error().code == Code::kNotAllowed);
  CHECK(transactions == 0);
  CHECK(store->lookup({}, "d/f").value()->token == before->token);
  CHECK(test::staged_files(folder) == 0);
}

TEST_CASE_METHOD(Fixture, "a committed version that may not have its place is kept elsewhere, and the server starts") {
  const Buffer& content = GENERATE(true, false) ? kSmall : kNew;
  const bool replaces = GENERATE(true, false);
  const bool power = GENERATE(true, false);
  const bool has_trash = GENERATE(true, false);
  if (!has_trash) trash.keep = std::chrono::nanoseconds(0);
  start_empty();
  if (replaces) REQUIRE(test::put_file(*store, "d/f", kOld));
  if (!replaces) REQUIRE(test::put_file(*store, "d/other", kOld));
  REQUIRE(store->flush());
  faults->before = [&](std::string_view operation) {
    if (operation == "rename") faults->dead = true;
  };
  REQUIRE_FALSE(test::put_file(*store, "d/f", content));
  faults->before = nullptr;
  if (power) {
    faults->cut_power();
    ++boot;
  }
  reports.clear();
  auto refusing = std::make_shared<Faults>();
  refusing->refused = {{"rename into files", EACCES}, {"exchange", EACCES}};
  REQUIRE(try_open(refusing));
  REQUIRE(reports.size() == 1);
  CHECK(exists("d/f") == replaces);
  if (replaces) CHECK(content_of("d/f") == as_text(kOld));
  CHECK(test::put_file(*store, "d/f", kNew).error().code == Code::kNotAllowed);
  reopen();
  CHECK(reports.size() == 1);
  const std::string where = "is kept as '";
  const std::size_t at = reports[0].find(where);
  REQUIRE(at != std::string::npos);
  const std::string name =
      reports[0].substr(at + where.size(), reports[0].find('\'', at + where.size()) - at - where.size());
  CHECK(name.starts_with(has_trash ? "trash/d/f~" : "staging/"));
  CHECK(read_file(folder / name) == as_text(content));
  if (!has_trash) return;
  REQUIRE(store->restore({}, "d/f", 0, "d/f", Force::kYes));
  CHECK(content_of("d/f") == as_text(content));
  check_sound();
}

TEST_CASE_METHOD(Fixture, "an acknowledged version whose successor may not have its place is brought back") {
  due = kLater;
  start_empty();
  REQUIRE(test::put_file(*store, "f", kSmall));
  faults->before = [&](std::string_view operation) {
    if (operation == "exchange") faults->dead = true;
  };
  REQUIRE_FALSE(test::put_file(*store, "f", kOtherSmall));
  faults->before = nullptr;
  faults->names.clear();  // the kernel wrote the names, not the contents
  faults->cut_power();
  ++boot;
  auto refusing = std::make_shared<Faults>();
  refusing->refused = {{"exchange", EPERM}};
  REQUIRE(try_open(refusing));
  check_sound();
  CHECK(content_of("f") == as_text(kSmall));
  CHECK(store->lookup({}, "f").value()->attributes == Attributes{1'000'000'000, 0640});
  CHECK(is_in_trash("f", kOtherSmall));
}

TEST_CASE_METHOD(Fixture, "rights that another program takes behind a commit stop neither a checkpoint nor a start") {
  due = kLater;
  const std::string operation = GENERATE("open", "fsync_folder");
  bool is_damaged = false;
  start_empty();
  REQUIRE(test::put_file(*store, "f", kSmall));
  SECTION("a checkpoint") {
    int flushes = 0;
    faults->before = [&](std::string_view what) { flushes += what == "flush_all"; };
    faults->refused = {{operation, EACCES}};
    CHECK(store->flush());
    CHECK(flushes == 1);
    faults->before = nullptr;
  }
  SECTION("a start, after a kill or a power cut") {
    is_damaged = GENERATE(true, false);
    if (is_damaged) {
      faults->names.clear();
      faults->cut_power();
      ++boot;
    }
    faults->dead = true;
    auto refusing = std::make_shared<Faults>();
    refusing->refused = {{"open", EACCES}};
    REQUIRE(try_open(refusing));
    refusing->refused.clear();
    interruption = Interruption::kKill;
    if (is_damaged) CHECK(is_in_trash("f", kSmall));
  }
  faults->refused.clear();
  CHECK(test::put_file(*store, "g", kSmall));
  if (!is_damaged) CHECK(content_of("f") == as_text(kSmall));
}

TEST_CASE_METHOD(Fixture, "files that were never flushed are flushed before a start that promises more") {
  durability = Durability::kNone;
  const bool clean = GENERATE(false, true);
  start_empty();
  REQUIRE(test::put_file(*store, "f", kNew));
  faults->dead = !clean;
  durability = GENERATE(Durability::kNone, Durability::kBatch, Durability::kFull);
  store.reset();
  int flushes = 0;
  auto counting = std::make_shared<Faults>();
  counting->before = [&](std::string_view operation) { flushes += operation == "flush_all"; };
  REQUIRE(try_open(counting));
  counting->before = nullptr;
  CHECK(flushes == (!clean && durability != Durability::kNone ? 1 : 0));
}

TEST_CASE_METHOD(Fixture, "files, staging and trash on two file systems are refused in words") {
  const std::string elsewhere = GENERATE("files", "trash");
  const fs::path other = fs::temp_directory_path() / folder.filename();
  struct stat here {};
  struct stat there {};
  REQUIRE(::stat(in_memory().c_str(), &here) == 0);
  REQUIRE(::stat(fs::temp_directory_path().c_str(), &there) == 0);
  if (here.st_dev == there.st_dev) return;
  fs::remove_all(folder);
  fs::create_directories(folder);
  fs::create_directory(other);
  fs::create_directory_symlink(other, folder / elsewhere);
  const auto opened = try_open(std::make_shared<Faults>());
  fs::remove_all(other);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().sentence.find("different file systems") != std::string::npos);
}
