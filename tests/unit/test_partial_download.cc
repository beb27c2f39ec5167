// client/partial_download: which names are ours, who may have a partial, and when a draft takes its place.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "client/partial_download.h"

using namespace millrace;

namespace {

constexpr std::uint64_t kMiB = 1u << 20;

struct Folder {
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "millrace-test-XXXXXX";
    path = mkdtemp(pattern.data());
    folder = *LocalFolder::open(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string partial() const { return path + "/" + partial_name("f"); }
  std::uint64_t partial_bytes() const { return std::filesystem::file_size(partial()); }
  bool has_partial() const { return std::filesystem::exists(partial()); }
  void leave(std::uint64_t bytes) const {
    std::ofstream(partial()).put('x');
    std::filesystem::resize_file(partial(), bytes);
  }
  /// A draft as the client makes it, without a name.
  std::shared_ptr<const Descriptor> draft(std::uint64_t bytes) const {
    auto made =
        std::make_shared<const Descriptor>(openat(folder->descriptor(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    REQUIRE(made->is_open());
    REQUIRE(ftruncate(made->number(), static_cast<off_t>(bytes)) == 0);
    return made;
  }
  std::size_t names() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
  }
  std::string path;
  std::shared_ptr<const LocalFolder> folder;
};

using Kept = PartialDownload::Kept;

}  // namespace

TEST_CASE("only the names that a download gives count as unfinished") {
  CHECK(is_unfinished_name(partial_name("f")));
  CHECK(is_unfinished_name(draft_name(12345678901234567890u)));
  CHECK(partial_name("f") != partial_name("g"));
  for (const char* name : {".millrace-", ".millrace-notes", ".millrace-12a", "millrace-12", ".millrace-12.part",
                           ".millrace-.part", ".millrace-0123456789abcdef0123456789abcdeg.part"})
    CHECK_FALSE(is_unfinished_name(name));
}

SCENARIO_METHOD(Folder, "a draft is kept under the partial's name") {
  PartialDownload partial(folder, "f");
  REQUIRE_FALSE(partial.left());
  const auto first = draft(9 * kMiB);
  REQUIRE(partial.keep(first, "", ".millrace-1", 9 * kMiB, 9 * kMiB) == Kept::kYes);
  CHECK(partial_bytes() == 9 * kMiB);
  REQUIRE(partial.left());
  CHECK(partial.left()->size() == 9 * kMiB);

  GIVEN("another attempt of the same process") {
    const auto second = draft(20 * kMiB);
    THEN("it takes the place once it has as much, or found what makes up for it") {
      CHECK(partial.keep(second, "", ".millrace-2", 8 * kMiB, 0) == Kept::kNotYet);
      CHECK(partial.keep(second, "", ".millrace-2", 5 * kMiB, 4 * kMiB) == Kept::kYes);
      CHECK(partial_bytes() == 20 * kMiB);
      CHECK(names() == 1);
      CHECK_FALSE(partial.give_up(first, ".millrace-3"));
      CHECK(partial.give_up(second, ".millrace-3"));
      CHECK_FALSE(has_partial());
      CHECK(std::filesystem::exists(path + "/.millrace-3"));
    }
  }
  GIVEN("another process, or who else has no share in the lock") {
    PartialDownload other(folder, "f");
    THEN("it neither reads nor replaces nor removes it") {
      CHECK_FALSE(other.left());
      CHECK(other.keep(draft(30 * kMiB), "", ".millrace-2", 30 * kMiB, 30 * kMiB) == Kept::kNever);
      other.remove();
      CHECK(partial_bytes() == 9 * kMiB);
    }
  }
  GIVEN("that somebody removed it") {
    std::filesystem::remove(partial_name("f").insert(0, path + "/"));
    THEN("the next draft takes the free place") {
      CHECK(partial.keep(draft(kMiB), "", ".millrace-2", kMiB, 0) == Kept::kYes);
      CHECK(partial_bytes() == kMiB);
    }
  }
  GIVEN("that somebody put another file there") {
    std::filesystem::remove(path + "/" + partial_name("f"));
    leave(kMiB);
    THEN("that one stays") {
      CHECK_FALSE(partial.give_up(first, ".millrace-3"));
      partial.remove();
      CHECK(partial_bytes() == kMiB);
    }
  }
}

SCENARIO_METHOD(Folder, "a draft that has a name, where files cannot be without, is renamed") {
  const auto named = [this](const std::string& name, std::uint64_t bytes) {
    auto made = std::make_shared<const Descriptor>(
        openat(folder->descriptor(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    REQUIRE(ftruncate(made->number(), static_cast<off_t>(bytes)) == 0);
    return made;
  };
  PartialDownload partial(folder, "f");
  REQUIRE(partial.keep(named(".millrace-1", 9 * kMiB), ".millrace-1", ".millrace-1", 9 * kMiB, 0) == Kept::kYes);
  CHECK(partial_bytes() == 9 * kMiB);
  CHECK(names() == 1);
  const auto second = named(".millrace-2", 10 * kMiB);
  REQUIRE(partial.keep(second, ".millrace-2", ".millrace-2", 10 * kMiB, 0) == Kept::kYes);
  CHECK(partial_bytes() == 10 * kMiB);
  CHECK(names() == 1);
  CHECK(partial.give_up(second, ".millrace-2"));
  CHECK(names() == 1);
  CHECK_FALSE(has_partial());
}

SCENARIO_METHOD(Folder, "what an earlier process left is used if it is worth it") {
  GIVEN("less than the least") {
    leave(kLeastPartialDownload - 1);
    CHECK_FALSE(PartialDownload(folder, "f").left());
  }
  GIVEN("more") {
    leave(kLeastPartialDownload + 1);
    PartialDownload partial(folder, "f");
    const auto left = partial.left();
    REQUIRE(left);
    CHECK(left->size() == kLeastPartialDownload + 1);
    Buffer bytes(10);
    CHECK(left->read_at(0, bytes));
    CHECK(bytes[0] == Byte{'x'});
    THEN("a change while it is read is noticed") {
      const timespec times[2] = {{0, UTIME_OMIT}, {1, 0}};
      REQUIRE(utimensat(AT_FDCWD, this->partial().c_str(), times, 0) == 0);
      const auto read = left->read_at(0, bytes);
      REQUIRE_FALSE(read);
      CHECK(read.error().code == Code::kSourceChanged);
    }
    THEN("it goes with the download's success") {
      partial.remove();
      CHECK(names() == 0);
    }
  }
  GIVEN("another name of a file") {
    leave(kLeastPartialDownload + 1);
    std::filesystem::create_hard_link(partial(), path + "/other");
    CHECK_FALSE(PartialDownload(folder, "f").left());
    CHECK(std::filesystem::exists(path + "/other"));
  }
}

SCENARIO_METHOD(Folder, "downloads of one process share a partial as long as one of them lives") {
  PartialDownloads partials;
  auto first = partials.of({folder, "f"});
  CHECK(first == partials.of({folder, "f"}));
  CHECK(first != partials.of({folder, "g"}));
  REQUIRE(first->keep(draft(9 * kMiB), "", ".millrace-1", 9 * kMiB, 0) == Kept::kYes);
  first.reset();
  const auto again = partials.of({folder, "f"});
  REQUIRE(again->left());
  CHECK(again->left()->size() == 9 * kMiB);
}
