// A hostile server against the client's side of a connection: uploads, downloads and questions end once each, and what
// was downloaded is what the server named. The first byte chooses what the client wants.
#include "fuzz/mux_sessions.h"

using namespace millrace;

void fuzz::run(ByteView bytes) {
  Input input(bytes);
  ClientSession client(input.byte());
  client.side.play(input);
  client.side.close();
  client.check();
}

void fuzz::seeds(const AddSeed& add) {
  for (Byte scenario = 0; scenario < ClientSession::kScenarios; ++scenario) {
    Buffer seed{scenario};
    append(seed, record(scenario).to_client);
    add(std::to_string(scenario), seed);
  }
}
