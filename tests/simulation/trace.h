// What happened in a simulation, as one number: two runs of one seed must have the same. With a listener each line is
// printed as well.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace millrace::simulation {

class Trace {
 public:
  explicit Trace(bool prints) : prints_(prints) {}
  bool prints() const { return prints_; }

  /// Numbers are cheap: every operation of the disk goes in.
  void count(std::uint64_t value) {
    digest_ ^= value;
    digest_ *= 0x100000001b3;
    digest_ ^= digest_ >> 29;
  }
  void line(std::int64_t now_ns, std::string_view text) {
    count(static_cast<std::uint64_t>(now_ns));
    for (const char c : text) count(static_cast<unsigned char>(c));
    if (prints_)
      std::printf("%12.6f %.*s\n", static_cast<double>(now_ns) / 1e9, static_cast<int>(text.size()), text.data());
  }
  std::uint64_t digest() const { return digest_; }

 private:
  const bool prints_;
  std::uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace millrace::simulation
