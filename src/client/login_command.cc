#include "client/login_command.h"

#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <string_view>

#include "base/path.h"
#include "client/connection.h"
#include "client/credentials.h"
#include "client/options.h"
#include "client/report.h"

namespace millrace {

namespace {

constexpr std::chrono::seconds kTimeout{60};

/// What is typed is not shown.
class NoEcho {
 public:
  NoEcho() : is_terminal_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    std::fputs("Token: ", stderr);
  }
  ~NoEcho() {
    if (!is_terminal_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::fputs("\n", stderr);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool is_terminal_;
};

Result<std::string> read_token() {
  const NoEcho silent;
  std::string token;
  if (!(std::cin >> token)) return fail(Code::kUsage, "No token came on standard input.");
  return token;
}

Status login(const Url& url, Security security) {
  MILLRACE_ASSIGN(security.token, read_token());
  security.notice = [](const std::string& sentence) { std::fprintf(stderr, "notice: %s\n", sentence.c_str()); };
  Connection connection(kTimeout);
  MILLRACE_TRY(connection.connect(url, security));
  MILLRACE_ASSIGN(const wire::Authenticated who, connection.wait_authenticated());
  const Credentials credentials(Credentials::default_path());
  MILLRACE_TRY(credentials.keep(url, security.token));
  std::fprintf(stderr, "logged in to %s:%s as '%s'; the token is kept in '%s'.\n", url.host.c_str(), url.port.c_str(),
               printable(who.account).c_str(), credentials.path().c_str());
  return {};
}

}  // namespace

std::optional<int> run_login_command(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb != "login" && verb != "logout") return std::nullopt;
  CLI::App app("millrace: login reads a token from standard input, tries it and keeps it; logout forgets it");
  app.require_subcommand(1);
  std::string address;
  Security security;
  for (const char* name : {"login", "logout"}) {
    auto* const command = app.add_subcommand(name, "ADDRESS: millrace://HOST[:PORT], by default that of MILLRACE_URL");
    command->add_option("address", address, "")->type_name("");
    if (std::string_view(name) == "logout") continue;
    auto* const tls = command->add_flag_callback(
        "--tls", [&security] { security.mode = Security::Mode::kTls; }, "encrypt, also to this machine itself");
    command
        ->add_flag_callback(
            "--plain", [&security] { security.mode = Security::Mode::kPlain; },
            "do not encrypt: whoever is in between reads the token")
        ->excludes(tls);
    command->add_option("--cacert", security.ca, "believe servers whose certificate these authorities signed")
        ->envname("MILLRACE_CACERT");
    command->add_flag("--strict-pin", security.strict_pin, "refuse a server whose key is not known yet");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const char* const server = std::getenv("MILLRACE_URL");
  const auto done = [&]() -> Status {
    MILLRACE_ASSIGN(const Url url, resolve_address(address, server != nullptr ? server : ""));
    if (verb == "login") return login(url, security);
    return Credentials(Credentials::default_path()).keep(url, std::nullopt);
  }();
  if (done) return 0;
  std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(done.error().code)).c_str(),
               done.error().sentence.c_str());
  return exit_code(done.error().code);
}

}  // namespace millrace
