// millraced: the server.
#include <string_view>

#include "revision.h"
#include "server/account_command.h"
#include "server/scrub_command.h"
#include "server/serve.h"

int main(int argc, char** argv) {
  if (const auto code = millrace::run_account_command(argc, argv)) return *code;
  if (argc > 1 && std::string_view(argv[1]) == "scrub") return millrace::run_scrub_command(argc, argv);
  const auto command = millrace::parse_serve_command(argc, argv);
  if (const int* const code = std::get_if<int>(&command)) return *code;
  return millrace::serve(std::get<millrace::ServeOptions>(command), kRevision);
}
