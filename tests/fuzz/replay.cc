// A fuzz target as an ordinary test: runs its seeds and every file of a folder. With --write it puts the seeds into the
// folder instead, from where fuzzers take them.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include "fuzz/fuzz.h"

namespace fs = std::filesystem;
using namespace millrace;

int main(int argc, char** argv) {
  const bool write = argc == 3 && std::string_view(argv[1]) == "--write";
  if (argc != 2 && !write) {
    std::fprintf(stderr, "usage: %s [--write] FOLDER\n", argv[0]);
    return 2;
  }
  const fs::path folder = argv[argc - 1];
  std::size_t count = 0;
  if (write) fs::create_directories(folder);
  fuzz::seeds([&](const std::string& name, const Buffer& input) {
    ++count;
    if (!write) return fuzz::run(input);
    std::ofstream out(folder / ("seed-" + name), std::ios::binary);
    out.write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
  });
  if (write) return 0;
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.insert(entry.path());
  for (const fs::path& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());  // the last one is what an abort is about
    std::ifstream in(file, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    fuzz::run(as_bytes(text));
    ++count;
  }
  std::printf("%zu inputs\n", count);
  return count > 0 ? 0 : 1;
}
