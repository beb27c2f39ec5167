#include "server/api/live_json.h"

#include "base/path.h"
#include "server/metrics.h"

namespace millrace {

namespace {

using nlohmann::json;

json requests_json(const ServerSnapshot& now) {
  json out = json::array();
  for (std::size_t i = 0; i < kOperationNames.size(); ++i) {
    std::uint64_t failed = 0;
    for (std::size_t result = 1; result < kResults; ++result) failed += now.requests[i][result];
    if (now.requests[i][0] + failed == 0) continue;
    out.push_back({{"op", kOperationNames[i]},
                   {"ok", now.requests[i][0]},
                   {"failed", failed},
                   {"p50_seconds", now.durations[i].quantile(0.5)},
                   {"p99_seconds", now.durations[i].quantile(0.99)}});
  }
  return out;
}

json performance_json(const ServerSnapshot& now) {
  json loops = json::array();
  for (const LoopView& loop : now.loops)
    loops.push_back({{"lag_p99_seconds", loop.lag_p99_s},
                     {"sessions", loop.sessions},
                     {"bytes_per_second", loop.bytes_per_second}});
  json queues = json::array();
  for (const QueueView& queue : now.queues)
    queues.push_back({{"name", queue.name},
                      {"length", queue.length},
                      {"running", queue.running},
                      {"wait_p50_seconds", queue.wait_p50_s},
                      {"wait_p99_seconds", queue.wait_p99_s}});
  const auto flushes = [](const DurationCounts& durations) {
    return json{{"count", durations.count},
                {"p50_seconds", durations.quantile(0.5)},
                {"p99_seconds", durations.quantile(0.99)}};
  };
  return {{"loops", std::move(loops)},
          {"queues", std::move(queues)},
          {"memory",
           {{"buffers_bytes", now.buffers},
            {"buffers_limit_bytes", now.buffers_limit},
            {"resident_bytes", now.process.resident_bytes}}},
          {"descriptors", {{"open", now.process.open_descriptors}, {"limit", now.process.most_descriptors}}},
          {"flushes",
           {{"file", flushes(now.store.file_flushes)},
            {"folder", flushes(now.store.folder_flushes)},
            {"catalogue", flushes(now.store.transactions)}}},
          {"cpu_seconds", now.process.cpu_seconds},
          {"requests", requests_json(now)}};
}

}  // namespace

json status_json(const ServerSnapshot& now, const HistoryPoint& total) {
  json listeners = json::array();
  for (const ListenerView& one : now.listeners)
    listeners.push_back({{"kind", one.kind}, {"address", one.address}, {"tls", one.is_encrypted}});
  json health = json::array();
  for (const HealthCheck& check : now.health)
    health.push_back({{"name", check.name}, {"ok", check.is_ok}, {"detail", check.detail}});
  json metrics = json::object();
  for (const auto& [name, value] : metric_families(now).values()) {
    // Of the hundreds of requests and results only those that occurred: it is sent each second.
    if (value != 0 || !name.starts_with("millraced_requests_total{")) metrics[name] = value;
  }
  return {{"version", MILLRACE_VERSION},
          {"started_ms", now.started_ms},
          {"now_ms", now.now_ms},
          {"uptime_seconds", static_cast<double>(now.now_ms - now.started_ms) / 1000},
          {"ready", now.is_ready()},
          {"listeners", std::move(listeners)},
          {"health", std::move(health)},
          {"metrics", std::move(metrics)},
          {"totals",
           {{"in_bytes", total.in_bytes},
            {"out_bytes", total.out_bytes},
            {"saved_bytes", total.saved_bytes},
            {"requests", total.requests},
            {"errors", total.errors},
            {"seconds", total.seconds}}},
          {"storage",
           {{"files", now.store.stored.files},
            {"bytes", now.store.stored.bytes},
            {"trash_bytes", now.store.trash_bytes},
            {"partial_uploads", now.store.partial_uploads},
            {"free_bytes", now.store.free_bytes},
            {"total_bytes", now.store.total_bytes},
            {"reserve_bytes", now.reserve_bytes}}},
          {"performance", performance_json(now)}};
}

json account_status_json(const ServerSnapshot& now, const std::string& account, const Usage& usage,
                         const Quota& quota) {
  return {{"version", MILLRACE_VERSION},
          {"started_ms", now.started_ms},
          {"now_ms", now.now_ms},
          {"uptime_seconds", static_cast<double>(now.now_ms - now.started_ms) / 1000},
          {"ready", now.is_ready()},
          {"account",
           {{"name", account},
            {"bytes", usage.bytes},
            {"files", usage.files},
            {"quota_bytes", quota.bytes},
            {"quota_files", quota.files}}}};
}

json transfers_json(const std::vector<TransferView>& transfers) {
  json out = json::array();
  for (const TransferView& one : transfers) {
    json total = nullptr;
    if (one.total_bytes) total = *one.total_bytes;
    json result = nullptr;
    if (one.is_over) result = one.error ? code_name(*one.error) : "ok";
    out.push_back({{"id", std::to_string(one.connection) + "-" + std::to_string(one.request)},
                   {"connection", one.connection},
                   {"account", one.account},
                   {"op", operation_name(one.operation)},
                   {"direction", direction_name(one.direction)},
                   {"path", printable(one.path)},
                   {"state", !one.is_over                     ? "active"
                             : !one.error                     ? "done"
                             : *one.error == Code::kCancelled ? "cancelled"
                                                              : "failed"},
                   {"total_bytes", std::move(total)},
                   {"matched_bytes", one.matched_bytes},
                   {"literal_bytes", one.literal_bytes},
                   {"zero_bytes", one.zero_bytes},
                   {"wire_bytes", one.wire_bytes},
                   {"started_ms", one.started_ms},
                   {"seconds", one.seconds},
                   {"result", std::move(result)}});
  }
  return out;
}

json sessions_json(const std::vector<SessionView>& sessions) {
  json out = json::array();
  for (const SessionView& one : sessions)
    out.push_back({{"id", one.id},
                   {"kind", one.kind},
                   {"peer", one.peer},
                   {"account", one.account},
                   {"requests", one.requests},
                   {"bytes_in", one.bytes_in},
                   {"bytes_out", one.bytes_out},
                   {"since_ms", one.since_ms},
                   {"tls", one.is_encrypted}});
  return out;
}

json problems_json(const std::vector<Problem>& problems) {
  json out = json::array();
  for (const Problem& one : problems)
    out.push_back({{"id", one.id},
                   {"time_ms", one.time_ms},
                   {"level", one.level == LogLevel::kError ? "error" : "warning"},
                   {"text", one.text},
                   {"count", one.count}});
  return out;
}

std::optional<HistoryWindow> history_window(std::string_view name) {
  if (name == "5m") return HistoryWindow{HistoryStep::kSecond, 300};
  if (name == "1h") return HistoryWindow{HistoryStep::kMinute, 60};
  if (name == "24h") return HistoryWindow{HistoryStep::kMinute, 1440};
  if (name == "90d") return HistoryWindow{HistoryStep::kHour, 90 * 24};
  return std::nullopt;
}

json history_json(std::string_view window, HistoryStep step, const std::vector<std::optional<HistoryPoint>>& points) {
  json series = json::object();
  const auto add = [&](const char* name, double HistoryPoint::*field, bool is_rate) {
    json values = json::array();
    for (const auto& point : points) {
      if (!point) {
        values.push_back(nullptr);
        continue;
      }
      const double seconds = is_rate && point->seconds > 0 ? point->seconds : 1;
      values.push_back((*point).*field / seconds);
    }
    series[name] = std::move(values);
  };
  add("connections", &HistoryPoint::connections, false);
  add("transfers", &HistoryPoint::transfers, false);
  add("in_bytes_per_second", &HistoryPoint::in_bytes, true);
  add("out_bytes_per_second", &HistoryPoint::out_bytes, true);
  add("saved_bytes_per_second", &HistoryPoint::saved_bytes, true);
  add("requests_per_second", &HistoryPoint::requests, true);
  add("errors_per_second", &HistoryPoint::errors, true);
  add("latency_p50_seconds", &HistoryPoint::latency_p50_s, false);
  add("latency_p99_seconds", &HistoryPoint::latency_p99_s, false);
  add("loop_lag_p99_seconds", &HistoryPoint::lag_p99_s, false);
  const std::int64_t end_ms = points.empty() || !points.back() ? 0 : points.back()->end_s * 1000;
  return {{"window", window}, {"step_seconds", seconds_of(step)}, {"end_ms", end_ms}, {"series", std::move(series)}};
}

}  // namespace millrace
