// Accounts and their tokens on disk: DIR/accounts.sqlite, mode 0600, which the server and the command line open side by
// side (SQLite's own locks order them, so it is not in WAL mode). A file DIR/accounts.required beside it remembers that
// there were accounts: where the book is missing or damaged then, nobody is served. Any thread, one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/token.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace millrace {

/// 0: no limit.
struct AccountLimits {
  Quota quota;
  std::uint64_t max_connections = 0;
  std::uint64_t max_rate = 0;  ///< bytes a second, both directions of all connections together
  bool operator==(const AccountLimits&) const = default;
};

struct Account {
  std::string name;
  AccountLimits limits;
};

/// A token as the book keeps it: without its secret.
struct TokenEntry {
  std::string id;
  std::string account;
  Digest secret_hash;
  Scope scope;
  std::uint64_t created_s = 0;  ///< since 1970
  std::uint64_t expires_s = 0;  ///< 0: never
  bool has_expired = false;     ///< was seen to have: a clock that is set back does not bring it back
  std::string label;
};

/// [a-z0-9][a-z0-9._-]{0,63}: a folder of that name holds its files. Errors: kUsage.
Status check_account_name(const std::string& name);

class AccountBook {
 public:
  /// Makes the data folder and the book where they are missing; what root makes belongs to the folder's owner. Errors:
  /// kVersion for a book of a newer program; kIntegrity for one that is damaged, or missing although there were
  /// accounts; kNotAllowed for one that others may read.
  static Result<AccountBook> open(const std::string& folder);
  /// The book, if there is one. Nothing: there never were accounts. Errors: as above.
  static Result<std::optional<AccountBook>> find(const std::string& folder);
  /// Accounts are kept, or were: nobody is served without a token.
  static bool is_required(const std::string& folder);

  /// Errors: kConflict for a name that is taken.
  Status add(const Account& account);
  /// Errors: kNotFound.
  Status set(const Account& account);
  /// With its tokens; its files stay. Errors: kNotFound.
  Status remove(const std::string& name);
  Result<std::vector<Account>> accounts();
  /// Errors: kNotFound for the account.
  Status add_token(const TokenEntry& token);
  Result<std::vector<TokenEntry>> tokens();
  /// Errors: kNotFound.
  Status revoke(const std::string& id);
  /// Tokens whose end has come have expired from now on, whatever the clock says later.
  Status note_expired(std::uint64_t now_s);
  /// Changes whenever somebody else has changed the book, or the file at its place is another one.
  Result<std::uint64_t> generation();

 private:
  AccountBook(std::string folder, Database database) : folder_(std::move(folder)), database_(std::move(database)) {}
  static Result<AccountBook> open_file(const std::string& folder);
  Status run(std::string_view sql, const std::function<void(Statement&)>& bind);
  Status change_one(std::string_view sql, const std::function<void(Statement&)>& bind, const Error& none);

  std::string folder_;
  Database database_;
};

}  // namespace millrace
