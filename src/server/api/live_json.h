// The server's state as JSON, as docs/openapi.json describes it.
#pragma once

#include <nlohmann/json.hpp>

#include "monitor/history.h"
#include "server/live_view.h"
#include "server/problem_list.h"
#include "server/snapshot.h"

namespace millrace {

/// `total`: of all time.
nlohmann::json status_json(const ServerSnapshot& now, const HistoryPoint& total);
/// What somebody may know who sees one account only.
nlohmann::json account_status_json(const ServerSnapshot& now, const std::string& account, const Usage& usage,
                                   const Quota& quota);
nlohmann::json transfers_json(const std::vector<TransferView>& transfers);
nlohmann::json sessions_json(const std::vector<SessionView>& sessions);
nlohmann::json problems_json(const std::vector<Problem>& problems);

/// "5m" and so on. Nothing for any other word.
struct HistoryWindow {
  HistoryStep step = HistoryStep::kSecond;
  std::size_t most = 0;
};
std::optional<HistoryWindow> history_window(std::string_view name);
nlohmann::json history_json(std::string_view window, HistoryStep step,
                            const std::vector<std::optional<HistoryPoint>>& points);

}  // namespace millrace
