#include "server/config_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "net/socket.h"

namespace millrace {

namespace {

constexpr std::size_t kMostBytes = 1u << 20;

Result<std::string> read_whole(const std::string& path) {
  const Socket file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::string cannot = "The configuration file '" + path + "' cannot be read";
  if (!file.is_open()) return fail(system_error(errno, cannot));
  std::string out;
  char part[16384];
  for (;;) {
    const ssize_t got = ::read(file.descriptor(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, cannot));
    if (got == 0) return out;
    out.append(part, static_cast<std::size_t>(got));
    if (out.size() > kMostBytes) return fail(Code::kUsage, cannot + ": it has more than 1 MiB.");
  }
}

std::string at(const std::string& path, const toml::source_region& region) {
  return path + ":" + std::to_string(region.begin.line);
}

ConfigEntry entry(const std::string& path, std::string section, std::string_view key, const toml::node& node) {
  ConfigEntry out{std::move(section),      std::string(key),        ConfigEntry::Type::kOther, {},
                  at(path, node.source()), node.source().begin.line};
  if (const auto* text = node.as_string()) {
    out.type = ConfigEntry::Type::kText;
    out.text = text->get();
  } else if (const auto* number = node.as_integer()) {
    out.type = ConfigEntry::Type::kNumber;
    out.text = std::to_string(number->get());
  } else if (const auto* flag = node.as_boolean()) {
    out.type = ConfigEntry::Type::kFlag;
    out.text = flag->get() ? "true" : "false";
  }
  return out;
}

std::vector<ConfigEntry> entries(const std::string& path, const toml::table& root) {
  std::vector<ConfigEntry> out;
  for (const auto& [name, node] : root) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) {
      out.push_back(entry(path, {}, name.str(), node));
      continue;
    }
    // An empty section says nothing, but its name may be wrong.
    if (table->empty())
      out.push_back({std::string(name.str()),
                     {},
                     ConfigEntry::Type::kOther,
                     {},
                     at(path, node.source()),
                     node.source().begin.line});
    for (const auto& [key, value] : *table) out.push_back(entry(path, std::string(name.str()), key.str(), value));
  }
  // A table is sorted by its keys; people read from top to bottom.
  std::stable_sort(out.begin(), out.end(), [](const ConfigEntry& a, const ConfigEntry& b) { return a.line < b.line; });
  return out;
}

}  // namespace

Result<std::vector<ConfigEntry>> read_config_file(const std::string& path) {
  MILLRACE_ASSIGN(const std::string text, read_whole(path));
  try {
    return entries(path, toml::parse(text, path));
  } catch (const toml::parse_error& error) {
    return fail(Code::kUsage, at(path, error.source()) + ": " + std::string(error.description()) + ".");
  }
}

std::vector<std::string> config_files(const std::string& path) {
  std::vector<std::string> parts;
  std::error_code none;
  const auto folder = std::filesystem::path(path).parent_path() / "conf.d";
  for (auto it = std::filesystem::directory_iterator(folder, none);
       !none && it != std::filesystem::directory_iterator(); it.increment(none)) {
    if (it->path().extension() == ".toml") parts.push_back(it->path().string());
  }
  std::sort(parts.begin(), parts.end());
  parts.insert(parts.begin(), path);
  return parts;
}

}  // namespace millrace
