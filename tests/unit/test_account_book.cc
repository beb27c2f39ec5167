// server/account_book: accounts and tokens as they are kept, by one process and by two, and the files that it refuses.
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "server/account_book.h"

using namespace millrace;
namespace fs = std::filesystem;

namespace {

struct Fixture {
  Fixture() : folder(fs::temp_directory_path() / ("millrace-book-" + std::to_string(getpid()))) {
    fs::remove_all(folder);
  }
  ~Fixture() { fs::remove_all(folder); }
  AccountBook open() const {
    auto book = AccountBook::open(folder);
    if (!book) FAIL(book.error().sentence);
    return std::move(*book);
  }
  fs::path file() const { return folder / "accounts.sqlite"; }
  Error refused() const {
    const auto book = AccountBook::open(folder);
    REQUIRE_FALSE(book);
    const auto found = AccountBook::find(folder);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == book.error().code);
    return book.error();
  }
  void sql(const char* text) const {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(file().c_str(), &database) == SQLITE_OK);
    REQUIRE(sqlite3_exec(database, text, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }
  fs::path folder;
};

Account account(const std::string& name, std::uint64_t bytes = 0) {
  return {name, {{bytes, 5}, 6, 7}};
}

TokenEntry token(const std::string& id, const std::string& of, std::uint64_t expires_s = 0) {
  TokenEntry entry;
  entry.id = id;
  entry.account = of;
  entry.secret_hash.bytes[31] = Byte{9};
  entry.scope = {true, false, true, "a/pre'fix"};
  entry.created_s = 100;
  entry.expires_s = expires_s;
  entry.label = "label \"with\" signs";
  return entry;
}

Code code_of(const Status& status) {
  REQUIRE_FALSE(status);
  return status.error().code;
}

std::vector<std::string> ids(AccountBook& book) {
  std::vector<std::string> found;
  const auto tokens = book.tokens().value();
  for (const TokenEntry& entry : tokens) found.push_back(entry.id);
  return found;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE_METHOD(Fixture, "accounts are added, changed and removed, and are there after the next opening") {
  {
    AccountBook book = open();
    REQUIRE(book.add(account("bob", 10)));
    REQUIRE(book.add(account("alice", 1)));
    CHECK(code_of(book.add(account("bob", 99))) == Code::kConflict);
    CHECK(code_of(book.set(account("carol"))) == Code::kNotFound);
    CHECK(code_of(book.remove("carol")) == Code::kNotFound);
    REQUIRE(book.set(account("alice", 2)));
  }
  AccountBook book = open();
  const auto accounts = book.accounts().value();
  REQUIRE(accounts.size() == 2);
  CHECK(accounts[0].name == "alice");
  CHECK(accounts[0].limits == account("alice", 2).limits);
  CHECK(accounts[1].name == "bob");
  CHECK(accounts[1].limits == account("bob", 10).limits);
  REQUIRE(book.remove("alice"));
  CHECK(book.accounts().value().size() == 1);
}

TEST_CASE_METHOD(Fixture, "names that would not do as a folder's are refused") {
  AccountBook book = open();
  const std::string names[] = {"", ".", "..", "a/b", "A", "-a", ".a", "a b", "a\n", std::string(65, 'a'), "\xc3\xa4"};
  for (const std::string& name : names) CHECK(code_of(book.add(account(name))) == Code::kUsage);
  CHECK_FALSE(AccountBook::is_required(folder));
  CHECK(book.add(account(std::string(64, 'a'))));
  CHECK(book.add(account("0.a_b-c")));
}

TEST_CASE_METHOD(Fixture, "a token is kept as it was given, and goes by itself or with its account") {
  AccountBook book = open();
  REQUIRE(book.add(account("alice")));
  REQUIRE(book.add(account("bob")));
  CHECK(code_of(book.add_token(token("00", "carol"))) == Code::kNotFound);
  REQUIRE(book.add_token(token("01", "alice", 200)));
  REQUIRE(book.add_token(token("02", "bob")));
  REQUIRE(book.add_token(token("03", "bob")));
  CHECK_FALSE(book.add_token(token("03", "alice")));  // an id is one token's
  const TokenEntry kept = book.tokens().value().front();
  const TokenEntry given = token("01", "alice", 200);
  CHECK(kept.account == given.account);
  CHECK(kept.secret_hash == given.secret_hash);
  CHECK(kept.scope.read);
  CHECK_FALSE(kept.scope.write);
  CHECK(kept.scope.remove);
  CHECK(kept.scope.prefix == given.scope.prefix);
  CHECK(kept.created_s == 100);
  CHECK(kept.expires_s == 200);
  CHECK_FALSE(kept.has_expired);
  CHECK(kept.label == given.label);
  CHECK(code_of(book.revoke("nobody's")) == Code::kNotFound);
  REQUIRE(book.revoke("02"));
  CHECK(ids(book) == Ids{"01", "03"});
  REQUIRE(book.remove("bob"));
  CHECK(ids(book) == Ids{"01"});
  // A name that is given again brings no token back.
  REQUIRE(book.add(account("bob")));
  CHECK(ids(book) == Ids{"01"});
}

TEST_CASE_METHOD(Fixture, "a token that was seen to have expired stays so, also when the clock is set back") {
  AccountBook book = open();
  REQUIRE(book.add(account("alice")));
  REQUIRE(book.add_token(token("01", "alice", 200)));
  REQUIRE(book.add_token(token("02", "alice", 300)));
  REQUIRE(book.add_token(token("03", "alice")));
  const auto expired = [&] {
    Ids found;
    const auto tokens = book.tokens().value();
    for (const TokenEntry& entry : tokens)
      if (entry.has_expired) found.push_back(entry.id);
    return found;
  };
  REQUIRE(book.note_expired(199));
  CHECK(expired().empty());
  REQUIRE(book.note_expired(200));
  CHECK(expired() == Ids{"01"});
  REQUIRE(book.note_expired(50));
  CHECK(expired() == Ids{"01"});
  REQUIRE(book.note_expired(1'000'000'000'000));
  CHECK(expired() == Ids{"01", "02"});
}

TEST_CASE_METHOD(Fixture, "two processes may have the book open, and one sees that the other changed it") {
  AccountBook server = open();
  AccountBook operators = open();
  const auto before = server.generation().value();
  CHECK(server.generation().value() == before);
  REQUIRE(operators.add(account("alice")));
  REQUIRE(operators.add_token(token("01", "alice")));
  const auto after = server.generation().value();
  CHECK(after != before);
  CHECK(ids(server) == Ids{"01"});
  REQUIRE(operators.revoke("01"));
  CHECK(server.generation().value() != after);
  CHECK(ids(server).empty());
  fs::remove(file());
  CHECK(server.generation().error().code == Code::kIntegrity);
}

TEST_CASE_METHOD(Fixture, "without a book nobody ever had an account, until there was one") {
  REQUIRE(AccountBook::find(folder));
  CHECK_FALSE(AccountBook::find(folder).value());
  CHECK_FALSE(AccountBook::is_required(folder));
  (void)open();
  CHECK_FALSE(AccountBook::is_required(folder));
  {
    AccountBook book = open();
    REQUIRE(book.add(account("alice")));
    CHECK(AccountBook::is_required(folder));
    REQUIRE(book.remove("alice"));
  }
  CHECK(AccountBook::is_required(folder));  // the last one's removal opens nothing
  CHECK(AccountBook::find(folder).value());
  fs::remove(file());
  const Error missing = refused();
  CHECK(missing.code == Code::kIntegrity);
  CHECK_FALSE(fs::exists(file()));  // it is not made anew
  std::ofstream(file()).flush();
  fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write);
  CHECK(refused().code == Code::kIntegrity);
}

TEST_CASE_METHOD(Fixture, "only its owner may read the book") {
  const mode_t before = umask(0);
  {
    AccountBook book = open();
    REQUIRE(book.add(account("alice")));
  }
  umask(before);
  for (const char* name : {"accounts.sqlite", "accounts.required"}) {
    struct stat stat {};
    REQUIRE(::stat((folder / name).c_str(), &stat) == 0);
    CHECK((stat.st_mode & 0777) == 0600);
  }
  fs::permissions(file(), fs::perms::group_read, fs::perm_options::add);
  const Error open_to_all = refused();
  CHECK(open_to_all.code == Code::kNotAllowed);
}

TEST_CASE_METHOD(Fixture, "files that are no book are refused") {
  {
    AccountBook book = open();
    REQUIRE(book.add(account("alice")));
  }
  SECTION("another kind of file") {
    std::ofstream(file(), std::ios::trunc) << std::string(10'000, 'x');
    CHECK(refused().code == Code::kIntegrity);
  }
  SECTION("a damaged one") {
    // The rows' page: the header alone would still do.
    std::fstream damaged(file(), std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(0, std::ios::end);
    const auto bytes = static_cast<std::size_t>(damaged.tellp());
    damaged.seekp(4096);
    damaged << std::string(bytes - 4096, '\x7f');
    damaged.close();
    CHECK(refused().code == Code::kIntegrity);
  }
  SECTION("one that ends too early") {
    fs::resize_file(file(), 4096);
    CHECK(refused().code == Code::kIntegrity);
  }
  SECTION("a link, even to a book") {
    fs::rename(file(), folder / "elsewhere");
    fs::create_symlink(folder / "elsewhere", file());
    CHECK(refused().code == Code::kNotAllowed);
  }
  SECTION("a folder") {
    fs::remove(file());
    fs::create_directory(file());
    CHECK(refused().code == Code::kConflict);
  }
}

TEST_CASE_METHOD(Fixture, "a book of a newer program is refused and left as it is") {
  {
    AccountBook book = open();
    REQUIRE(book.add(account("alice")));
  }
  sql("PRAGMA user_version=2; ALTER TABLE accounts ADD COLUMN more INTEGER");
  const auto bytes = fs::file_size(file());
  const Error newer = refused();
  CHECK(newer.code == Code::kVersion);
  CHECK(newer.sentence.find("newer") != std::string::npos);
  CHECK(fs::file_size(file()) == bytes);
  sql("PRAGMA user_version=1");
}
