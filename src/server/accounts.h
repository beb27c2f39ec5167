// The accounts as a running server sees them: the book's contents in memory, read again when somebody changed it, and
// what each account takes at the moment. Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "base/token_bucket.h"
#include "server/account_book.h"
#include "server/attempt_delays.h"

namespace millrace {

/// What all connections of an account together take.
struct AccountUse {
  std::atomic<std::size_t> connections{0};
  std::mutex mutex;
  TokenBucket bucket;  ///< guarded by `mutex`
};

/// Why a session is served. Anonymous: no token.
struct Grant {
  std::string token_id;
  Principal principal;
  AccountLimits limits;
  std::uint64_t expires_s = 0;
  std::shared_ptr<AccountUse> use;  ///< null where it is anonymous
};

/// An account, for people to look at.
struct AccountView {
  std::string name;
  AccountLimits limits;
  std::size_t connections = 0;
};

/// A place among the connections of the account, for as long as it is held; null where that is nobody's. Errors: kBusy
/// when the account has as many as it may.
Result<std::shared_ptr<void>> take_place(const Grant& grant);
/// How long nothing is to move on the account's connections, now that `bytes` more have.
std::chrono::milliseconds rest_after(const Grant& grant, std::uint64_t bytes);

class Accounts {
 public:
  using Clock = std::function<std::uint64_t()>;  ///< wall clock, seconds since 1970
  /// Errors: the book's: then nobody may be served.
  static Result<std::shared_ptr<Accounts>> open(const std::string& folder, Clock clock);
  Accounts(std::string folder, Clock clock) : folder_(std::move(folder)), clock_(std::move(clock)) {}

  /// Blocks. Looks whether the book changed. An error is kept too: until the book can be read again nobody new is let
  /// in.
  Status refresh();
  /// Nobody is served without a token.
  bool is_required() const { return required_.load(); }
  /// Blocks. `token`: nothing for who came without. Errors: kNotAuthenticated, the book's.
  Result<Grant> admit(const std::optional<std::string>& token);
  /// Does not block for long: whether what was granted still counts, by the last refresh(); its limits are brought up
  /// to date. Errors: kNotAuthenticated.
  Status renew(Grant& grant) const;
  /// By the last refresh(), ordered by name.
  std::vector<AccountView> list() const;
  /// How long the answer to a failure is held back.
  std::chrono::milliseconds delay_of_failure(const std::string& address, std::uint64_t now_ms);

 private:
  struct Contents {
    std::map<std::string, Account> accounts;
    std::map<std::string, TokenEntry> tokens;
  };
  Status read_again();
  std::shared_ptr<const Contents> contents() const;
  std::shared_ptr<AccountUse> use_of(const std::string& account);

  const std::string folder_;
  const Clock clock_;
  std::atomic<bool> required_{false};
  std::mutex reading_;  ///< guards the book
  std::optional<AccountBook> book_;
  std::uint64_t generation_ = 0;
  mutable std::mutex mutex_;  ///< guards what follows
  std::shared_ptr<const Contents> contents_ = std::make_shared<Contents>();
  std::map<std::string, std::shared_ptr<AccountUse>> uses_;
  AttemptDelays delays_;
};

}  // namespace millrace
