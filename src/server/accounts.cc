#include "server/accounts.h"

#include <algorithm>

namespace millrace {

namespace {

Error not_counting() {
  return {Code::kNotAuthenticated,
          "The token does not count (any more): it is wrong, was revoked, or its time is over; get a new one from the "
          "server's operator and `millrace login`."};
}

}  // namespace

Result<std::shared_ptr<Accounts>> Accounts::open(const std::string& folder, Clock clock) {
  auto accounts = std::make_shared<Accounts>(folder, std::move(clock));
  MILLRACE_TRY(accounts->refresh());
  return accounts;
}

Status Accounts::refresh() {
  const std::lock_guard lock(reading_);
  if (AccountBook::is_required(folder_)) required_ = true;
  Status read = read_again();
  // What was opened may be a file that is not at its place any more.
  if (!read) book_.reset();
  return read;
}

Status Accounts::read_again() {
  if (book_) {
    MILLRACE_ASSIGN(const std::uint64_t generation, book_->generation());
    if (generation == generation_) {
      const std::uint64_t now = clock_();
      const auto known = contents();
      const bool any_over = std::any_of(known->tokens.begin(), known->tokens.end(), [now](const auto& one) {
        return one.second.expires_s > 0 && one.second.expires_s <= now && !one.second.has_expired;
      });
      if (!any_over) return {};
    } else {
      book_.reset();
    }
  }
  if (!book_) {
    MILLRACE_ASSIGN(book_, AccountBook::find(folder_));
    if (!book_) return {};
    MILLRACE_ASSIGN(generation_, book_->generation());
  }
  MILLRACE_TRY(book_->note_expired(clock_()));
  auto fresh = std::make_shared<Contents>();
  MILLRACE_ASSIGN(auto accounts, book_->accounts());
  MILLRACE_ASSIGN(auto tokens, book_->tokens());
  for (Account& account : accounts) fresh->accounts.emplace(account.name, account);
  for (TokenEntry& token : tokens) fresh->tokens.emplace(token.id, token);
  if (!fresh->accounts.empty()) required_ = true;
  const std::lock_guard lock(mutex_);
  contents_ = std::move(fresh);
  std::erase_if(uses_, [this](const auto& one) {
    return one.second.use_count() == 1 && !contents_->accounts.contains(one.first);
  });
  return {};
}

std::shared_ptr<const Accounts::Contents> Accounts::contents() const {
  const std::lock_guard lock(mutex_);
  return contents_;
}

std::shared_ptr<AccountUse> Accounts::use_of(const std::string& account) {
  const std::lock_guard lock(mutex_);
  auto& use = uses_[account];
  if (!use) use = std::make_shared<AccountUse>();
  return use;
}

Result<std::shared_ptr<void>> take_place(const Grant& grant) {
  if (!grant.use) return std::shared_ptr<void>();
  const std::uint64_t most = grant.limits.max_connections;
  const std::size_t before = grant.use->connections.fetch_add(1);
  std::shared_ptr<void> place(nullptr, [use = grant.use](void*) { use->connections.fetch_sub(1); });
  if (most == 0 || before < most) return place;
  return fail(Code::kBusy, "The account '" + grant.principal.account + "' has " + std::to_string(most) +
                               " connections already, as many as it may; try again later.");
}

std::chrono::milliseconds rest_after(const Grant& grant, std::uint64_t bytes) {
  if (!grant.use || grant.limits.max_rate == 0) return std::chrono::milliseconds(0);
  const std::lock_guard lock(grant.use->mutex);
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::ceil<std::chrono::milliseconds>(grant.use->bucket.take(grant.limits.max_rate, bytes, now));
}

Result<Grant> Accounts::admit(const std::optional<std::string>& token) {
  MILLRACE_TRY(refresh());
  if (!token && !is_required()) return Grant{};
  if (!token)
    return fail(Code::kNotAuthenticated,
                "This server serves nobody without a token; store one with `millrace login`, or name it with "
                "--token-file.");
  MILLRACE_ASSIGN(const Token shown, parse_token(*token));
  const auto known = contents();
  const auto entry = known->tokens.find(shown.id);
  const Digest hash = shown.secret_hash();
  const Digest kept = entry == known->tokens.end() ? Digest{} : entry->second.secret_hash;
  if (!same_secret(hash, kept) || entry == known->tokens.end()) return fail(not_counting());
  Grant grant;
  grant.token_id = shown.id;
  grant.principal.account = entry->second.account;
  grant.principal.scope = entry->second.scope;
  grant.expires_s = entry->second.expires_s;
  grant.use = use_of(entry->second.account);
  MILLRACE_TRY(renew(grant));
  return grant;
}

Status Accounts::renew(Grant& grant) const {
  if (grant.token_id.empty()) {
    if (!is_required()) return {};
    return fail(Code::kNotAuthenticated,
                "This server has accounts now and serves nobody without a token; store one with `millrace login`.");
  }
  const auto known = contents();
  const auto token = known->tokens.find(grant.token_id);
  if (token == known->tokens.end() || token->second.has_expired) return fail(not_counting());
  if (token->second.expires_s > 0 && token->second.expires_s <= clock_()) return fail(not_counting());
  const auto account = known->accounts.find(token->second.account);
  if (account == known->accounts.end()) return fail(not_counting());
  grant.limits = account->second.limits;
  grant.principal.quota = grant.limits.quota;
  return {};
}

std::vector<AccountView> Accounts::list() const {
  std::vector<AccountView> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, account] : contents_->accounts) {
    const auto use = uses_.find(name);
    out.push_back({name, account.limits, use == uses_.end() ? 0 : use->second->connections.load()});
  }
  return out;
}

std::chrono::milliseconds Accounts::delay_of_failure(const std::string& address, std::uint64_t now_ms) {
  const std::lock_guard lock(mutex_);
  return delays_.failed(address, now_ms);
}

}  // namespace millrace
