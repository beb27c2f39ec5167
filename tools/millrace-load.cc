// millrace-load: the load generator.
#include "load/load_command.h"
#include "net/allocator.h"

int main(int argc, char** argv) {
  millrace::keep_freed_memory();
  return millrace::run_load_command(argc, argv);
}
