#include "server/scrub_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/path.h"
#include "codec/sha256.h"
#include "net/loop.h"
#include "server/serve_options.h"
#include "store/directory_store.h"

namespace millrace {

namespace {

constexpr int kBadUsage = 2;
constexpr int kDamagedExit = 15;  ///< as the client's for integrity

int scrub(const std::string& data) {
  if (::access((data + "/catalogue.sqlite").c_str(), F_OK) != 0)
    return complain({Code::kUsage, "'" + printable(data) + "' is no data folder of a server: it has no catalogue."});
  const auto warn = [](const std::string& sentence) { std::fprintf(stderr, "warning: %s\n", sentence.c_str()); };
  auto store = open_directory_store(data, {Durability::kFull, system_random(), make_sha256, nullptr, warn});
  if (!store && store.error().code == Code::kBusy)
    return complain({Code::kBusy, "A server is using '" + printable(data) +
                                      "'. It reads its files again by itself (--scrub-interval) and logs what is "
                                      "damaged; stop it to scrub here and now."});
  if (!store) return complain(store.error());
  Scrub pass = (*store)->scrub({}, [](const std::string& sentence) { std::printf("%s\n", sentence.c_str()); });
  while (pass.passes() == 0) (void)pass.step();
  const Scrub::Counts& counts = pass.counts();
  std::printf("%llu files with %llu bytes read, %llu damaged, %llu changed by others or gone\n",
              static_cast<unsigned long long>(counts.files + counts.damaged),
              static_cast<unsigned long long>(counts.bytes), static_cast<unsigned long long>(counts.damaged),
              static_cast<unsigned long long>(counts.skipped));
  return counts.damaged == 0 ? 0 : kDamagedExit;
}

}  // namespace

int run_scrub_command(int argc, char** argv) {
  CLI::App app("reads all files of a data folder again and compares them with the catalogue", "millraced scrub");
  std::string data;
  app.add_option("--data", data, "data folder, which no server may be using")->required()->type_name("DIR");
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  return scrub(data);
}

}  // namespace millrace
