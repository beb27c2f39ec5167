// libmillrace in use: two files go up side by side on the program's own loop, with progress; one call is cancelled;
// then the blocking calls. Usage: library_example millrace://HOST:PORT FOLDER, with FOLDER/one, FOLDER/two and
// FOLDER/large.
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "millrace/millrace.h"

namespace {

int failures = 0;

void expect(bool holds, const char* what, const millrace::client::Error& error = {}) {
  std::printf("%s %s %s\n", holds ? "ok" : "FAILED", what, error.sentence.c_str());
  if (!holds) ++failures;
}

void on_own_loop(const std::string& address, const std::string& folder) {
  namespace client = millrace::client;
  uv_loop_t loop;
  uv_loop_init(&loop);
  {
    client::Client server(&loop, address);
    int open = 4;
    int reports = 0;
    const auto ended = [&] {
      if (--open == 0) uv_stop(&loop);
    };
    const auto progress = [&](const client::Progress&) { ++reports; };
    for (const char* name : {"one", "two"}) {
      server.upload(folder + "/" + name, std::string("example/") + name, {}, progress,
                    [&, name](client::Outcome<client::Transfer> result) {
                      expect(static_cast<bool>(result), name, result.error);
                      ended();
                    });
    }
    // A call that is cancelled from its own progress.
    client::Operation large;
    bool reported_after_end = false;
    bool ended_large = false;
    large = server.upload(
        folder + "/large", "example/large", {},
        [&](const client::Progress& now) {
          reported_after_end = reported_after_end || ended_large;
          if (now.done_bytes < now.total_bytes) large.cancel();
        },
        [&](client::Outcome<client::Transfer> result) {
          expect(!result && result.error.code == client::ErrorCode::kCancelled,
                 "a transfer can be cancelled from its progress", result.error);
          ended_large = true;
          ended();
        });
    client::Operation listing = server.list("", true, "", [&](client::Outcome<client::Listing> result) {
      expect(!result && result.error.code == client::ErrorCode::kCancelled, "a cancelled call says so");
      ended();
    });
    listing.cancel();
    listing.cancel();
    uv_run(&loop, UV_RUN_DEFAULT);
    expect(open == 0 && reports > 0, "progress was reported");
    expect(!reported_after_end, "no progress comes after the end");
    large.cancel();
    expect(server.bytes_sent() > 0 && server.bytes_received() > 0, "bytes are counted");
  }
  uv_run(&loop, UV_RUN_DEFAULT);  // the turn in which the client's handles are closed
  expect(uv_loop_close(&loop) == 0, "nothing is left on the loop");
}

/// A call that is open when its Client goes ends with it.
void closed_early(const std::string& address, const std::string& folder) {
  namespace client = millrace::client;
  uv_loop_t loop;
  uv_loop_init(&loop);
  int calls = 0;
  client::Operation forgotten;
  {
    client::Client server(&loop, address);
    forgotten =
        server.upload(folder + "/large", "example/large", {}, nullptr, [&](client::Outcome<client::Transfer> result) {
          ++calls;
          expect(!result && result.error.code == client::ErrorCode::kCancelled, "a call ends with its client",
                 result.error);
        });
    uv_run(&loop, UV_RUN_ONCE);
  }
  expect(calls == 1, "done is called once");
  forgotten.cancel();
  uv_run(&loop, UV_RUN_DEFAULT);
  expect(uv_loop_close(&loop) == 0, "nothing is left on the loop of a client that went early");
}

void blocking(const std::string& address, const std::string& folder) {
  namespace client = millrace::client;
  const auto stat = client::stat(address, "example/one");
  expect(stat && stat.value->kind == client::Entry::Kind::kFile, "stat", stat.error);
  const auto down = client::download(address, "example/one", folder + "/back");
  expect(down && stat && down.value->root == stat.value->root, "download", down.error);
  const auto listed = client::list(address, "example");
  expect(listed && listed.value->entries.size() == 2, "list", listed.error);
  const auto moved = client::move(address, "example/two", "example/three");
  expect(static_cast<bool>(moved), "move", moved.error);
  const auto verified = client::verify(address, "example/three");
  expect(static_cast<bool>(verified), "verify", verified.error);
  const auto removed = client::remove(address, "example", true);
  expect(static_cast<bool>(removed), "remove", removed.error);
  const auto gone = client::stat(address, "example/one");
  expect(!gone && gone.error.code == client::ErrorCode::kNotFound, "what is gone is not found");
  const auto bad = client::upload(address, folder + "/one", "a/../b");
  expect(!bad && bad.error.code == client::ErrorCode::kUsage, "a bad path is refused");
  const auto nobody = client::stat("millrace://127.0.0.1:1", "x");
  expect(!nobody && nobody.error.code == client::ErrorCode::kNetwork, "a server that is not there is kNetwork");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s millrace://HOST:PORT FOLDER\n", argv[0]);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  on_own_loop(argv[1], argv[2]);
  closed_early(argv[1], argv[2]);
  blocking(argv[1], argv[2]);
  return failures == 0 ? 0 : 1;
}
