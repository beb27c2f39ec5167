// millrace: the client.
#include "client/command_line.h"
#include "net/allocator.h"

int main(int argc, char** argv) {
  millrace::keep_freed_memory();
  return millrace::run_command_line(argc, argv);
}
