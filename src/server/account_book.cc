#include "server/account_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/path.h"
#include "net/socket.h"

namespace millrace {

namespace {

constexpr std::int64_t kSchema = 1;
constexpr int kPatienceMs = 5000;  ///< while another process writes
constexpr std::size_t kMostNameLength = 64;

constexpr const char* kCreate = R"(
BEGIN IMMEDIATE;
CREATE TABLE accounts(name TEXT PRIMARY KEY, quota_bytes INTEGER NOT NULL, quota_files INTEGER NOT NULL,
  max_connections INTEGER NOT NULL, max_rate INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tokens(id TEXT PRIMARY KEY, account TEXT NOT NULL, secret_hash BLOB NOT NULL, scope INTEGER NOT NULL,
  prefix BLOB NOT NULL, created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL, has_expired INTEGER NOT NULL,
  label BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version=1;
COMMIT;
)";

std::string book_path(const std::string& folder) {
  return folder + "/accounts.sqlite";
}
std::string marker_path(const std::string& folder) {
  return folder + "/accounts.required";
}

Error unusable(const std::string& folder, const std::string& why) {
  return {Code::kIntegrity,
          "The accounts in '" + book_path(folder) + "' cannot be used: " + why +
              ". Nobody is served until the file is restored from a backup; or, to begin without accounts and tokens, "
              "remove it and '" +
              marker_path(folder) + "'."};
}

/// SQLite's error about this file, with a sentence of its own.
Error about_book(const std::string& folder, const Error& error) {
  if (error.code == Code::kIntegrity) return unusable(folder, error.sentence);
  return {error.code, "The accounts in '" + book_path(folder) + "' cannot be read or written: " + error.sentence};
}

/// Opens or makes a file that only the folder's owner may read.
Result<Socket> private_file(const std::string& folder, const std::string& path) {
  Socket file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!file.is_open()) return fail(system_error(errno, "'" + path + "' cannot be opened"));
  struct stat owner {};
  struct stat own {};
  if (::stat(folder.c_str(), &owner) != 0 || ::fstat(file.descriptor(), &own) != 0)
    return fail(system_error(errno, "'" + path + "' cannot be looked at"));
  if ((own.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Code::kNotAllowed,
                "'" + path + "' can be read or written by others; make it private: chmod 600 '" + path + "'.");
  if (::geteuid() == 0 && own.st_uid != owner.st_uid && ::fchown(file.descriptor(), owner.st_uid, owner.st_gid) != 0)
    return fail(system_error(errno, "'" + path + "' cannot be given to the data folder's owner"));
  return file;
}

std::int64_t bits_of(const Scope& scope) {
  return (scope.read ? 1 : 0) | (scope.write ? 2 : 0) | (scope.remove ? 4 : 0) | (scope.monitor ? 8 : 0);
}

}  // namespace

Status check_account_name(const std::string& name) {
  const auto is_first = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto is_next = [&](char c) { return is_first(c) || c == '.' || c == '_' || c == '-'; };
  if (!name.empty() && name.size() <= kMostNameLength && is_first(name[0]) &&
      std::all_of(name.begin(), name.end(), is_next))
    return {};
  return fail(Code::kUsage,
              "'" + printable(name) +
                  "' cannot be an account's name: take 1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or "
                  "digit first.");
}

bool AccountBook::is_required(const std::string& folder) {
  return ::access(marker_path(folder).c_str(), F_OK) == 0;
}

Result<AccountBook> AccountBook::open_file(const std::string& folder) {
  const auto check = [&](const Status& status) -> Status {
    return status ? Status() : Status(fail(about_book(folder, status.error())));
  };
  MILLRACE_ASSIGN(const Socket file, private_file(folder, book_path(folder)));
  auto opened = Database::open(book_path(folder));
  if (!opened) return fail(about_book(folder, opened.error()));
  AccountBook book(folder, std::move(*opened));
  sqlite3_busy_timeout(book.database_.handle(), kPatienceMs);
  MILLRACE_TRY(check(book.database_.execute("PRAGMA journal_mode=DELETE")));
  MILLRACE_TRY(check(book.database_.execute("PRAGMA synchronous=FULL")));
  const auto schema = [&]() -> Result<std::int64_t> {
    MILLRACE_ASSIGN(auto query, book.database_.prepare("PRAGMA user_version"));
    MILLRACE_TRY(query.step());
    return query.integer(0);
  };
  auto found = schema();
  if (found && *found == 0 && !is_required(folder)) {
    // Somebody else may be making it too: then there is a version afterwards.
    const Status made = book.database_.execute(kCreate);
    if (!made) (void)book.database_.execute("ROLLBACK");
    found = schema();
    if (found && *found == 0) MILLRACE_TRY(check(made));
  }
  if (!found) return fail(about_book(folder, found.error()));
  if (*found == 0) return fail(unusable(folder, "it is empty, although there were accounts"));
  if (*found > kSchema)
    return fail(Code::kVersion, "The accounts in '" + book_path(folder) +
                                    "' were written by a newer millraced; upgrade this one, or restore a backup.");
  auto looked = book.database_.prepare("PRAGMA quick_check(1)");
  const auto row = looked ? looked->step() : Result<bool>(fail(looked.error()));
  if (!row) return fail(about_book(folder, row.error()));
  if (looked->text(0) != "ok") return fail(unusable(folder, "it is damaged (" + looked->text(0) + ")"));
  return book;
}

Result<std::optional<AccountBook>> AccountBook::find(const std::string& folder) {
  if (::access(book_path(folder).c_str(), F_OK) != 0) {
    if (errno != ENOENT && errno != ENOTDIR)
      return fail(unusable(folder, system_error(errno, "it cannot be looked at").sentence));
    if (is_required(folder)) return fail(unusable(folder, "it is missing, although there were accounts"));
    return std::nullopt;
  }
  MILLRACE_ASSIGN(AccountBook book, open_file(folder));
  return std::optional<AccountBook>(std::move(book));
}

Result<AccountBook> AccountBook::open(const std::string& folder) {
  std::error_code why;
  std::filesystem::create_directories(folder, why);
  if (why) return fail(system_error(why.value(), "The data folder '" + folder + "' cannot be made"));
  MILLRACE_ASSIGN(auto found, find(folder));
  if (found) return std::move(*found);
  return open_file(folder);
}

Status AccountBook::run(std::string_view sql, const std::function<void(Statement&)>& bind) {
  auto statement = database_.prepare(sql);
  if (!statement) return fail(about_book(folder_, statement.error()));
  bind(*statement);
  const Status done = statement->run();
  return done ? Status() : Status(fail(about_book(folder_, done.error())));
}

Status AccountBook::change_one(std::string_view sql, const std::function<void(Statement&)>& bind, const Error& none) {
  MILLRACE_TRY(run(sql, bind));
  return sqlite3_changes(database_.handle()) > 0 ? Status() : Status(fail(none));
}

Status AccountBook::add(const Account& account) {
  MILLRACE_TRY(check_account_name(account.name));
  // Before the first account: whatever happens then, it is not served without.
  MILLRACE_ASSIGN(const Socket marker, private_file(folder_, marker_path(folder_)));
  const Socket folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::fsync(marker.descriptor()) != 0 || ::fsync(folder.descriptor()) != 0)
    return fail(system_error(errno, "'" + marker_path(folder_) + "' cannot be flushed"));
  return change_one(
      "INSERT OR IGNORE INTO accounts VALUES(?,?,?,?,?)",
      [&](Statement& insert) {
        insert.bind_text(1, account.name)
            .bind(2, account.limits.quota.bytes)
            .bind(3, account.limits.quota.files)
            .bind(4, account.limits.max_connections)
            .bind(5, account.limits.max_rate);
      },
      {Code::kConflict, "There is an account '" + account.name + "' already; change it with `account set`."});
}

Status AccountBook::set(const Account& account) {
  return change_one("UPDATE accounts SET quota_bytes=?,quota_files=?,max_connections=?,max_rate=? WHERE name=?",
                    [&](Statement& update) {
                      update.bind(1, account.limits.quota.bytes)
                          .bind(2, account.limits.quota.files)
                          .bind(3, account.limits.max_connections)
                          .bind(4, account.limits.max_rate)
                          .bind_text(5, account.name);
                    },
                    {Code::kNotFound, "There is no account '" + printable(account.name) + "'."});
}

Status AccountBook::remove(const std::string& name) {
  MILLRACE_TRY(run("BEGIN IMMEDIATE", [](Statement&) {}));
  Status done =
      change_one("DELETE FROM accounts WHERE name=?", [&](Statement& statement) { statement.bind_text(1, name); },
                 {Code::kNotFound, "There is no account '" + printable(name) + "'."});
  if (done) done = run("DELETE FROM tokens WHERE account=?", [&](Statement& one) { one.bind_text(1, name); });
  if (done) done = run("COMMIT", [](Statement&) {});
  if (!done) (void)database_.execute("ROLLBACK");
  return done;
}

Result<std::vector<Account>> AccountBook::accounts() {
  const auto read = [&]() -> Result<std::vector<Account>> {
    MILLRACE_ASSIGN(auto query, database_.prepare("SELECT name,quota_bytes,quota_files,max_connections,max_rate FROM "
                                                  "accounts ORDER BY name"));
    std::vector<Account> found;
    for (;;) {
      MILLRACE_ASSIGN(const bool more, query.step());
      if (!more) return found;
      found.push_back({query.text(0),
                       {{query.unsigned_integer(1), query.unsigned_integer(2)},
                        query.unsigned_integer(3),
                        query.unsigned_integer(4)}});
    }
  };
  auto found = read();
  if (!found) return fail(about_book(folder_, found.error()));
  return found;
}

Status AccountBook::add_token(const TokenEntry& token) {
  return change_one(
      "INSERT INTO tokens SELECT ?1,name,?2,?3,?4,?5,?6,?7,?8 FROM accounts WHERE name=?9",
      [&](Statement& insert) {
        insert.bind_text(1, token.id)
            .bind_blob(2, token.secret_hash.bytes)
            .bind(3, bits_of(token.scope))
            .bind_blob(4, as_bytes(token.scope.prefix))
            .bind(5, token.created_s)
            .bind(6, token.expires_s)
            .bind(7, std::int64_t{token.has_expired ? 1 : 0})
            .bind_blob(8, as_bytes(token.label))
            .bind_text(9, token.account);
      },
      {Code::kNotFound, "There is no account '" + printable(token.account) + "'; add it with `account add`."});
}

Result<std::vector<TokenEntry>> AccountBook::tokens() {
  const auto read = [&]() -> Result<std::vector<TokenEntry>> {
    MILLRACE_ASSIGN(auto query, database_.prepare(
                                    "SELECT id,account,secret_hash,scope,prefix,created_s,expires_s,has_expired,label "
                                    "FROM tokens ORDER BY account,created_s,id"));
    std::vector<TokenEntry> found;
    for (;;) {
      MILLRACE_ASSIGN(const bool more, query.step());
      if (!more) return found;
      TokenEntry token;
      token.id = query.text(0);
      token.account = query.text(1);
      const ByteView hash = query.blob(2);
      if (hash.size() != token.secret_hash.bytes.size())
        return fail(Code::kIntegrity, "a token's hash has the wrong length");
      std::copy(hash.begin(), hash.end(), token.secret_hash.bytes.begin());
      const std::int64_t bits = query.integer(3);
      token.scope = {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, query.text(4), (bits & 8) != 0};
      token.created_s = query.unsigned_integer(5);
      token.expires_s = query.unsigned_integer(6);
      token.has_expired = query.integer(7) != 0;
      token.label = query.text(8);
      found.push_back(std::move(token));
    }
  };
  auto found = read();
  if (!found) return fail(about_book(folder_, found.error()));
  return found;
}

Status AccountBook::revoke(const std::string& id) {
  return change_one("DELETE FROM tokens WHERE id=?", [&](Statement& statement) { statement.bind_text(1, id); },
                    {Code::kNotFound, "There is no token '" + printable(id) + "'; `token list NAME` shows their ids."});
}

Status AccountBook::note_expired(std::uint64_t now_s) {
  return run("UPDATE tokens SET has_expired=1 WHERE expires_s>0 AND expires_s<=? AND has_expired=0",
             [&](Statement& update) { update.bind(1, now_s); });
}

Result<std::uint64_t> AccountBook::generation() {
  struct stat stat {};
  if (::stat(book_path(folder_).c_str(), &stat) != 0)
    return fail(unusable(folder_, system_error(errno, "it cannot be looked at").sentence));
  const auto read = [&]() -> Result<std::uint64_t> {
    MILLRACE_ASSIGN(auto query, database_.prepare("PRAGMA data_version"));
    MILLRACE_TRY(query.step());
    return query.unsigned_integer(0);
  };
  const auto version = read();
  if (!version) return fail(about_book(folder_, version.error()));
  return *version ^ (static_cast<std::uint64_t>(stat.st_ino) << 32);
}

}  // namespace millrace
