// A configuration file: whatever is in it, everything wrong is a sentence, and what is printed of the result says the
// same when it is read again.
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "server/configuration.h"

using namespace millrace;

namespace {

/// A file in memory, with a name for as long as this lives.
class NamedBytes {
 public:
  explicit NamedBytes(ByteView bytes) : descriptor_(memfd_create("configuration", MFD_CLOEXEC)) {
    fuzz::require(descriptor_ >= 0, "there is a file");
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      fuzz::require(written > 0, "it can be written");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
  ~NamedBytes() { close(descriptor_); }
  NamedBytes(const NamedBytes&) = delete;
  NamedBytes& operator=(const NamedBytes&) = delete;
  /// Opened anew: reads from the beginning.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

Configuration load(ByteView file) {
  const NamedBytes held(file);
  return load_configuration({held.path(), {}, {}});
}

}  // namespace

void fuzz::run(ByteView bytes) {
  Configuration first = load(bytes);
  for (const std::string& problem : first.problems) require(problem.size() > 10, "a problem is a sentence");
  const std::string printed = as_toml(first);
  Configuration second = load(as_bytes(printed));
  require(second.problems.empty(), "what is printed can be read");
  require(first.settings.size() == second.settings.size(), "every setting is printed");
  for (std::size_t i = 0; i < first.settings.size(); ++i)
    require(first.settings[i].value.number == second.settings[i].value.number, "what is printed means the same");
  (void)to_options(first);
}

void fuzz::seeds(const AddSeed& add) {
  const auto text = [&](const char* name, std::string_view written) {
    Buffer out;
    append(out, as_bytes(written));
    add(name, out);
  };
  text("all", as_toml(load({})));
  text("some", "[server]\nlisten = \"127.0.0.1:7700\"\ndata = '/srv/x'\n[limits]\nmemory-budget = \"64MiB\"\n");
  text("wrong", "[server]\nlisten = 5\nlisen = \"a\"\n[sever]\n[[array]]\na = {b = 1979-05-27T07:32:00Z}\n");
}
