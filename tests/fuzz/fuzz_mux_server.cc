// A hostile client against the server's side of a connection, with all its conversations: whatever comes, what is held
// is given back and what is stored is what its digest says.
#include "fuzz/mux_sessions.h"

using namespace millrace;

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  std::shared_ptr<MemoryBudget> budget;
  std::shared_ptr<test::MemoryStore> store;
  {
    ServerSession server;
    budget = server.side.budget();
    store = server.store;
    server.side.play(input);
    server.side.close();
  }
  require(budget->used() == 0 && budget->transfers() == 0, "nothing stays counted once the connection has ended");
  for (const auto& [path, file] : store->files()) {
    require(file->version().bytes == file->content.size(), "a file has the size of its version");
    require(build_tree(test::chunks_of(file->content), *make_sha256()).root == file->version().token.root,
            "a file has the root of its version");
  }
}

void fuzz::seeds(const AddSeed& add) {
  for (Byte scenario = 0; scenario < ClientSession::kScenarios; ++scenario)
    add(std::to_string(scenario), record(scenario).to_server);
}
