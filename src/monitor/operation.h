// What a client asks for, by the names that logs, metrics and the dashboard use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace {

enum class Operation : std::uint8_t {
  kUpload,
  kDownload,
  kList,
  kStat,
  kChanges,
  kDelete,
  kMove,
  kVerify,
  kListTrash,
  kRestore,
  kHttpPut,
  kHttpGet,
  kHttpDelete,
  kHttpApi,  ///< whatever else is asked for by HTTP
  kUnknown,
};

inline constexpr std::array<std::string_view, 15> kOperationNames{
    "upload", "download", "list",     "stat",     "changes",     "delete",   "move",   "verify",
    "trash",  "restore",  "http_put", "http_get", "http_delete", "http_api", "unknown"};

inline std::string_view operation_name(Operation operation) {
  return kOperationNames[static_cast<std::size_t>(operation)];
}

/// Of content, as the server sees it.
enum class Direction : std::uint8_t { kIn, kOut };
inline constexpr std::array<std::string_view, 2> kDirectionNames{"in", "out"};

inline std::string_view direction_name(Direction direction) {
  return kDirectionNames[static_cast<std::size_t>(direction)];
}

}  // namespace millrace
