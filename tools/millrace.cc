// millrace: the client.
#include "client/command_line.h"

int main(int argc, char** argv) { return millrace::run_command_line(argc, argv); }
