// millraced: the server.
#include "server/account_command.h"
#include "server/serve.h"

int main(int argc, char** argv) {
  if (const auto code = millrace::run_account_command(argc, argv)) return *code;
  const auto command = millrace::parse_serve_command(argc, argv);
  if (const int* const code = std::get_if<int>(&command)) return *code;
  return millrace::serve(std::get<millrace::ServeOptions>(command));
}
