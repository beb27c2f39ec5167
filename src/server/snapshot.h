// How the server stands at one moment: what metrics, dashboard, health checks and the summary line all speak of.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "delta/signature_cache.h"
#include "monitor/loop_counts.h"
#include "monitor/process_figures.h"
#include "store/directory_store.h"

namespace millrace {

struct ListenerView {
  std::string_view kind;  ///< "sync", "http"
  std::string address;
  bool is_encrypted = false;
  std::uint64_t active = 0;    ///< connections
  std::uint64_t accepted = 0;  ///< likewise, so far
};

struct LoopView {
  std::uint64_t sessions = 0;
  std::uint64_t bytes_per_second = 0;
  double lag_p99_s = 0;  ///< in the last second
};

struct QueueView {
  std::string_view name;
  std::uint64_t length = 0;
  std::uint64_t running = 0;
  double wait_p50_s = 0;  ///< of the jobs that began in the last second
  double wait_p99_s = 0;
};

struct TransferTotals {
  std::uint64_t active = 0;
  std::uint64_t logical = 0;
  std::uint64_t matched = 0;
  std::uint64_t literal = 0;
  std::uint64_t zero = 0;
  std::uint64_t wire = 0;
};

/// One thing that has to be right for the server to be ready.
struct HealthCheck {
  std::string_view name;
  bool is_ok = true;
  std::string detail;  ///< for people
};

/// By SHA-256, for what.
struct HashedBytes {
  std::uint64_t transfers = 0;
  std::uint64_t http = 0;
  std::uint64_t store = 0;  ///< indexing, verifying, recovery
  std::uint64_t scrub = 0;
};

struct ServerSnapshot {
  std::string revision;     ///< of the program
  std::int64_t now_ms = 0;  ///< since 1970, like started_ms
  std::int64_t started_ms = 0;
  std::vector<ListenerView> listeners;
  std::vector<LoopView> loops;
  std::vector<QueueView> queues;
  std::array<std::array<std::uint64_t, kResults>, kOperationNames.size()> requests{};
  std::array<DurationCounts, kOperationNames.size()> durations;
  std::array<TransferTotals, kDirectionNames.size()> transfers{};
  std::uint64_t refused = 0;  ///< connections: too many, or no descriptors left
  std::uint64_t not_authenticated = 0;
  std::uint64_t authenticated = 0;
  std::uint64_t too_slow = 0;
  std::uint64_t requests_busy = 0;
  std::uint64_t resumed = 0;  ///< uploads that went on from one that was cut off
  std::uint64_t resumed_failed = 0;
  std::uint64_t wrong_roots = 0;  ///< see LoopCounts
  std::uint64_t asked_chunks = 0;
  std::uint64_t asked_all = 0;
  DurationCounts handshakes_full;
  DurationCounts handshakes_resumed;
  std::uint64_t handshakes_failed = 0;
  HashedBytes hashed;
  std::uint64_t buffers = 0;
  std::uint64_t buffers_limit = 0;
  std::uint64_t buffers_most = 0;
  std::uint64_t waiting_for_memory = 0;  ///< transfers
  SignatureCache::Counts signatures;
  StoreFigures store;
  std::uint64_t reserve_bytes = 0;  ///< below so many free ones the server is not ready
  ProcessFigures process;
  std::vector<HealthCheck> health;

  bool is_ready() const;
  std::uint64_t connections() const;
  std::uint64_t requests_done() const;
  std::uint64_t requests_failed() const;
  /// Content that did not have to travel.
  std::uint64_t saved_bytes() const;
  /// Of all operations that move content or names.
  DurationCounts all_durations() const;
};

}  // namespace millrace
