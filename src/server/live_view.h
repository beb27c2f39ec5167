// What is going on at this moment, for people to look at: gathered from the loops when somebody asks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "monitor/transfers.h"

namespace millrace {

struct SessionView {
  std::uint64_t id = 0;
  std::string_view kind;  ///< "sync", "websocket", "http"
  std::string peer;
  std::string account;
  std::uint64_t requests = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::int64_t since_ms = 0;  ///< since 1970
  bool is_encrypted = false;
};

struct TransferName {
  std::uint64_t connection = 0;
  std::uint64_t request = 0;
};

struct LiveQuery {
  std::optional<std::string> account;  ///< only what is its; nothing: everything
  std::size_t most_sessions = 0;       ///< of each loop
  std::size_t most_transfers = 0;
};

struct LiveView {
  std::vector<SessionView> sessions;
  std::vector<TransferView> transfers;
};

}  // namespace millrace
