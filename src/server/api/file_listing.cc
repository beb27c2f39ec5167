#include "server/api/file_listing.h"

#include <algorithm>
#include <array>

#include "base/path.h"
#include "base/units.h"
#include "http/percent.h"
#include "server/api/json_reply.h"

namespace millrace {

namespace {

constexpr std::size_t kMostEntries = 10'000;
constexpr std::size_t kMostSearched = 20'000;  ///< names looked at for one page

constexpr std::size_t kMostPathBytes = 1u << 20;  ///< of one page: a path takes up to nine times as much in JSON

std::size_t limit_of(std::string_view query) {
  const auto limit = whole_number(query_value(query, "limit").value_or(""));
  return std::clamp<std::size_t>(limit.value_or(kMostEntries), 1, kMostEntries);
}

bool has_text(std::string_view name, std::string_view text) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::search(name.begin(), name.end(), text.begin(), text.end(),
                     [lower](char a, char b) { return lower(a) == lower(b); }) != name.end();
}

nlohmann::json entry_json(const Entry& entry) {
  static constexpr std::int64_t kNsPerMs = 1'000'000;
  static constexpr std::array<const char*, 3> kKinds{"file", "folder", "symlink"};
  nlohmann::json root = nullptr;
  if (!entry.version.token.root.is_zero()) root = to_hex(entry.version.token.root);
  return {{"name", printable(last_part(entry.path))},
          {"path", printable(entry.path)},
          {"path_url", percent_encode_path(entry.path)},
          {"kind", kKinds[static_cast<std::size_t>(entry.kind)]},
          {"bytes", entry.version.bytes},
          {"mtime_ms", entry.version.attributes.mtime_ns / kNsPerMs},
          {"mode", entry.version.attributes.mode},
          {"root", std::move(root)}};
}

struct ListQuery {
  std::string path;
  std::string cursor;
  std::string search;
  std::size_t limit = kMostEntries;
  Recursive recursive = Recursive::kNo;
};

/// Ends early with a cursor where it has looked at many names without finding enough.
Result<Listing> search(Store& store, const Principal& principal, const ListQuery& asked) {
  Listing found;
  found.next_cursor = asked.cursor;
  for (std::size_t looked = 0; looked < kMostSearched;) {
    MILLRACE_ASSIGN(const Listing page,
                    store.list(principal, asked.path, Recursive::kYes, found.next_cursor, kMostEntries));
    for (const Entry& entry : page.entries) {
      ++looked;
      if (!has_text(last_part(entry.path), asked.search)) continue;
      found.entries.push_back(entry);
      if (found.entries.size() < asked.limit) continue;
      found.next_cursor = entry.path;
      return found;
    }
    found.next_cursor = page.next_cursor;
    if (page.next_cursor.empty()) return found;
  }
  return found;
}

Result<Listing> list(Store& store, const Principal& principal, const ListQuery& asked) {
  if (!asked.search.empty()) return search(store, principal, asked);
  return store.list(principal, asked.path, asked.recursive, asked.cursor, asked.limit);
}

/// Ends the page early where its paths are long.
void shorten(Listing& page) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < page.entries.size(); ++i) {
    bytes += page.entries[i].path.size();
    if (bytes <= kMostPathBytes || i + 1 == page.entries.size()) continue;
    page.next_cursor = page.entries[i].path;
    page.entries.resize(i + 1);
  }
}

std::string to_json_text(const std::string& path, const Listing& page) {
  nlohmann::json entries = nlohmann::json::array();
  for (const Entry& entry : page.entries) entries.push_back(entry_json(entry));
  nlohmann::json next = nullptr;
  if (!page.next_cursor.empty()) next = percent_encode_path(page.next_cursor);
  return to_text({{"path", printable(path)}, {"entries", std::move(entries)}, {"next", std::move(next)}});
}

}  // namespace

std::shared_ptr<HttpHandler> list_folder(ApiRequest request, const std::string& path) {
  const std::string_view query = request.request.query;
  ListQuery asked;
  asked.path = path;
  // As `next` gave it: encoded once more than addresses are, since it may be any bytes.
  asked.cursor = percent_decode(query_value(query, "cursor").value_or("")).value_or("");
  asked.search = query_value(query, "search").value_or("");
  asked.limit = limit_of(query);
  asked.recursive = query_value(query, "recursive") == "1" ? Recursive::kYes : Recursive::kNo;
  const auto store = request.context.store;
  const Principal principal = request.principal();
  return ask_blocking<std::string>(
      std::move(request), Workers::kCatalogue,
      [store, principal, asked]() -> Result<std::string> {
        MILLRACE_ASSIGN(Listing page, list(*store, principal, asked));
        shorten(page);
        return to_json_text(asked.path, page);
      },
      [](ApiRequest& its, const Result<std::string>& text) {
        if (!text) return reply_problem(its, problem_of(text.error()));
        reply_json_text(its, *text);
      });
}

}  // namespace millrace
