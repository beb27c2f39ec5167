#include "server/account_command.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "base/path.h"
#include "base/units.h"
#include "server/account_book.h"
#include "server/serve_options.h"

namespace millrace {

namespace {

constexpr std::size_t kMostLabel = 200;

struct Arguments {
  std::string data;
  std::string name;  ///< of an account, or a token's id
  std::optional<std::string> quota_bytes;
  std::optional<std::uint64_t> quota_files;
  std::optional<std::uint64_t> max_connections;
  std::optional<std::string> max_rate;
  std::vector<std::string> scope;
  std::string prefix;
  std::string expires;
  std::string label;
};

std::uint64_t now_s() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
}

std::string day_of(std::uint64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  char text[32];
  if (gmtime_r(&time, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts) == 0) return "?";
  return text;
}

/// 30s, 15m, 12h, 30d from now, or the begin of a day in UTC: 2027-01-31.
Result<std::uint64_t> parse_end(const std::string& text) {
  if (text.empty()) return 0;
  std::tm parts{};
  const char* const rest = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  if (text.size() == 10 && rest != nullptr && *rest == '\0') {
    const std::time_t end = timegm(&parts);
    if (end > 0 && static_cast<std::uint64_t>(end) > now_s()) return static_cast<std::uint64_t>(end);
    return fail(Code::kUsage, "'" + text + "' is over already; take a day to come.");
  }
  constexpr std::uint64_t kMost = 1'000'000'000;
  const std::string_view units = "smhdw";
  const std::uint64_t seconds[] = {1, 60, 3600, 86'400, 604'800};
  const auto unit = units.find(text.back());
  const std::string digits = text.substr(0, text.size() - 1);
  if (unit != std::string_view::npos && !digits.empty() && digits.size() < 10 &&
      digits.find_first_not_of("0123456789") == std::string::npos) {
    const std::uint64_t total = std::stoull(digits) * seconds[unit];
    if (total > 0 && total <= kMost) return now_s() + total;
  }
  return fail(Code::kUsage, "'" + printable(text) +
                                "' is not an end; write a time from now such as 30d or 12h, or a day "
                                "such as 2027-01-31.");
}

Status apply(const Arguments& given, AccountLimits& limits) {
  const auto size = [](const std::optional<std::string>& text, std::uint64_t& into) -> Status {
    if (!text) return {};
    MILLRACE_ASSIGN(into, parse_size(*text));
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    if (into > kMost) return fail(Code::kUsage, "'" + *text + "' is more than can be counted.");
    return {};
  };
  MILLRACE_TRY(size(given.quota_bytes, limits.quota.bytes));
  MILLRACE_TRY(size(given.max_rate, limits.max_rate));
  if (given.max_rate && limits.max_rate > 0 && limits.max_rate < kKiB)
    return fail(Code::kUsage, "A rate of less than 1KiB a second lets nobody work; 0 means no limit.");
  if (given.quota_files) limits.quota.files = *given.quota_files;
  if (given.max_connections) limits.max_connections = *given.max_connections;
  return {};
}

Status add_account(const Arguments& given) {
  MILLRACE_TRY(check_account_name(given.name));
  Account account{given.name, {}};
  MILLRACE_TRY(apply(given, account.limits));
  MILLRACE_ASSIGN(AccountBook book, AccountBook::open(given.data));
  MILLRACE_TRY(book.add(account));
  std::fprintf(stderr,
               "account '%s' added; its files go to %s/files/%s. From now on nobody is served without a token: "
               "millraced token add %s --data %s\n",
               given.name.c_str(), given.data.c_str(), given.name.c_str(), given.name.c_str(), given.data.c_str());
  return {};
}

Result<AccountBook> existing_book(const Arguments& given) {
  MILLRACE_ASSIGN(auto book, AccountBook::find(given.data));
  if (!book)
    return fail(Code::kNotFound,
                "There are no accounts in '" + printable(given.data) + "'; add one with `account add`.");
  return std::move(*book);
}

Result<Account> find_account(AccountBook& book, const std::string& name) {
  MILLRACE_ASSIGN(auto accounts, book.accounts());
  for (Account& account : accounts) {
    if (account.name == name) return std::move(account);
  }
  return fail(Code::kNotFound, "There is no account '" + printable(name) + "'.");
}

Status set_account(const Arguments& given) {
  MILLRACE_ASSIGN(AccountBook book, existing_book(given));
  MILLRACE_ASSIGN(Account account, find_account(book, given.name));
  MILLRACE_TRY(apply(given, account.limits));
  return book.set(account);
}

Status list_accounts(const Arguments& given) {
  MILLRACE_ASSIGN(auto found, AccountBook::find(given.data));
  if (!found) return {};
  MILLRACE_ASSIGN(const auto accounts, found->accounts());
  const auto shown = [](std::uint64_t limit, const std::string& text) { return limit == 0 ? std::string("-") : text; };
  for (const Account& account : accounts) {
    const AccountLimits& limits = account.limits;
    std::printf("%s\tquota %s\tfiles %s\tconnections %s\trate %s\n", account.name.c_str(),
                shown(limits.quota.bytes, human_size(limits.quota.bytes)).c_str(),
                shown(limits.quota.files, std::to_string(limits.quota.files)).c_str(),
                shown(limits.max_connections, std::to_string(limits.max_connections)).c_str(),
                shown(limits.max_rate, human_size(limits.max_rate) + "/s").c_str());
  }
  return {};
}

Status remove_account(const Arguments& given) {
  MILLRACE_ASSIGN(AccountBook book, existing_book(given));
  MILLRACE_TRY(book.remove(given.name));
  std::fprintf(stderr, "account '%s' removed: its tokens have ended; its files stay in %s/files/%s.\n",
               given.name.c_str(), given.data.c_str(), given.name.c_str());
  MILLRACE_ASSIGN(const auto left, book.accounts());
  if (left.empty())
    std::fprintf(stderr,
                 "There is no account left, so nobody is served. To serve without accounts again stop the server and "
                 "remove accounts.sqlite and accounts.required from %s.\n",
                 given.data.c_str());
  return {};
}

Status add_token(const Arguments& given) {
  TokenEntry entry;
  entry.account = given.name;
  entry.label = given.label;
  if (entry.label.size() > kMostLabel) return fail(Code::kUsage, "A label has at most 200 bytes.");
  if (!given.scope.empty()) entry.scope = {false, false, false, {}, false};
  for (const std::string& word : given.scope) {
    if (word == "read") {
      entry.scope.read = true;
    } else if (word == "write") {
      entry.scope.write = true;
    } else if (word == "delete") {
      entry.scope.remove = true;
    } else if (word == "monitor") {
      entry.scope.monitor = true;
    } else {
      return fail(Code::kUsage,
                  "'" + printable(word) + "' is no scope; take read, write, delete and monitor, between commas.");
    }
  }
  entry.scope.prefix = given.prefix;
  while (entry.scope.prefix.ends_with('/')) entry.scope.prefix.pop_back();
  MILLRACE_TRY(check_path(entry.scope.prefix, RootAllowed::kYes));
  if (entry.scope.monitor && !entry.scope.prefix.empty())
    return fail(Code::kUsage,
                "Who may watch the server sees the paths of all transfers; leave out --prefix, or make two tokens.");
  entry.created_s = now_s();
  MILLRACE_ASSIGN(entry.expires_s, parse_end(given.expires));
  MILLRACE_ASSIGN(const Token token, make_token());
  entry.id = token.id;
  entry.secret_hash = token.secret_hash();
  MILLRACE_ASSIGN(AccountBook book, existing_book(given));
  MILLRACE_TRY(book.add_token(entry));
  std::printf("%s\n", token.text().c_str());
  std::fprintf(stderr, "token %s of account '%s' added; it is shown this once. Give it to `millrace login`.\n",
               token.id.c_str(), given.name.c_str());
  return {};
}

Status list_tokens(const Arguments& given) {
  MILLRACE_ASSIGN(AccountBook book, existing_book(given));
  MILLRACE_TRY(find_account(book, given.name));
  MILLRACE_ASSIGN(const auto tokens, book.tokens());
  for (const TokenEntry& token : tokens) {
    if (token.account != given.name) continue;
    std::string scope;
    const auto add = [&scope](bool has, const char* name) {
      if (has) scope += (scope.empty() ? "" : ",") + std::string(name);
    };
    add(token.scope.read, "read");
    add(token.scope.write, "write");
    add(token.scope.remove, "delete");
    add(token.scope.monitor, "monitor");
    const bool is_over = token.has_expired || (token.expires_s > 0 && token.expires_s <= now_s());
    const std::string end =
        token.expires_s == 0 ? "never ends" : (is_over ? "ended " : "ends ") + day_of(token.expires_s);
    std::printf("%s\t%s\tin /%s\tadded %s\t%s\t%s\n", token.id.c_str(), scope.c_str(),
                printable(token.scope.prefix).c_str(), day_of(token.created_s).c_str(), end.c_str(),
                printable(token.label).c_str());
  }
  return {};
}

Status revoke_token(const Arguments& given) {
  MILLRACE_ASSIGN(AccountBook book, existing_book(given));
  // The whole text is taken too: who has it at hand need not take it apart.
  const auto token = parse_token(given.name);
  const std::string id = token ? token->id : given.name;
  MILLRACE_TRY(book.revoke(id));
  std::fprintf(stderr, "token %s revoked; a server that runs ends its connections within two seconds.\n", id.c_str());
  return {};
}

class Commands {
 public:
  Commands() {
    app_.require_subcommand(1);
    auto* const account = app_.add_subcommand("account", "who may use the server");
    account->require_subcommand(1);
    auto* const add = verb(*account, "add", "add an account; its files go to DIR/files/NAME", "NAME", add_account);
    limits(*add);
    auto* const set = verb(*account, "set", "change an account's limits", "NAME", set_account);
    limits(*set);
    verb(*account, "list", "all accounts and their limits; -: none", nullptr, list_accounts);
    verb(*account, "remove", "remove an account and its tokens; its files stay", "NAME", remove_account);
    auto* const token = app_.add_subcommand("token", "what its clients show");
    token->require_subcommand(1);
    auto* const make = verb(*token, "add", "make a token and print it, this once", "NAME", add_token);
    make->add_option("--scope", given_.scope,
                     "read, write, delete and monitor, between commas; the first three by default")
        ->delimiter(',');
    make->add_option("--prefix", given_.prefix, "confine it to PATH of the account and what lies below")
        ->type_name("PATH");
    make->add_option("--expires", given_.expires, "a time from now (12h, 30d), or a day (2027-01-31); never by default")
        ->type_name("TIME");
    make->add_option("--label", given_.label, "what it is for")->type_name("TEXT");
    verb(*token, "list", "the tokens of an account", "NAME", list_tokens);
    verb(*token, "revoke", "end a token", "ID", revoke_token);
  }
  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : 2;
    }
    const Status done = call_(given_);
    return done ? 0 : complain(done.error());
  }

 private:
  using Call = Status (*)(const Arguments&);
  CLI::App* verb(CLI::App& group, const char* name, const char* help, const char* argument, Call call) {
    auto* const command = group.add_subcommand(name, help);
    if (argument != nullptr) command->add_option(argument, given_.name)->required()->type_name("");
    command->add_option("--data", given_.data, "the server's data folder")->required()->type_name("DIR");
    command->callback([this, call] { call_ = call; });
    return command;
  }
  void limits(CLI::App& command) {
    command.add_option("--quota-bytes", given_.quota_bytes, "of all its files together; 0: no limit")
        ->type_name("SIZE");
    command.add_option("--quota-files", given_.quota_files, "number of its files; 0: no limit")
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 62).description(""));
    command.add_option("--max-connections", given_.max_connections, "at once; 0: no limit")
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000}).description(""));
    command
        .add_option("--max-rate", given_.max_rate, "bytes a second, all its connections and both directions together")
        ->type_name("SIZE");
  }
  CLI::App app_{"millraced: accounts and tokens"};
  Arguments given_;
  Call call_ = nullptr;
};

}  // namespace

std::optional<int> run_account_command(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first != "account" && first != "token") return std::nullopt;
  return Commands().run(argc, argv);
}

}  // namespace millrace
