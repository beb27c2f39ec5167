#include "client/command_line.h"

#include <csignal>

#include "client/command_run.h"
#include "client/login_command.h"

namespace millrace {

int run_command_line(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto code = run_login_command(argc, argv)) return *code;
  const auto parsed = parse_command_line(argc, argv);
  if (const int* const code = std::get_if<int>(&parsed)) return *code;
  const auto& options = std::get<CommandOptions>(parsed);
  switch (options.verb) {
    case Verb::kUpload:
      return run_upload(options);
    case Verb::kDownload:
      return run_download(options);
    default:
      return run_query(options);
  }
}

}  // namespace millrace
