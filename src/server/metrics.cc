#include "server/metrics.h"

namespace millrace {

namespace {

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

void add_connections(Families& to, const ServerSnapshot& now) {
  for (const ListenerView& one : now.listeners)
    to.gauge("millraced_connections_active", "Connections that are open.", number(one.active),
             {{"listener", std::string(one.kind)}});
  for (const ListenerView& one : now.listeners)
    to.counter("millraced_connections_accepted_total", "Connections that were accepted.", number(one.accepted),
               {{"listener", std::string(one.kind)}});
  const auto rejected = [&](const char* reason, std::uint64_t count) {
    to.counter("millraced_connections_rejected_total", "Connections that were turned away or ended by the server.",
               number(count), {{"reason", reason}});
  };
  rejected("full", now.refused);
  rejected("not_authenticated", now.not_authenticated);
  rejected("too_slow", now.too_slow);
  const auto attempts = [&](const char* result, std::uint64_t count) {
    to.counter("millraced_auth_attempts_total", "Attempts to authenticate.", number(count),
               {{"method", "token"}, {"result", result}});
  };
  attempts("ok", now.authenticated);
  attempts("failed", now.not_authenticated);
  const auto handshakes = [&](const char* kind, const DurationCounts& durations) {
    to.histogram("millraced_tls_handshake_duration_seconds",
                 "How long TLS handshakes took that ended well, the client's part and the network's included.",
                 durations, {{"kind", kind}});
  };
  handshakes("full", now.handshakes_full);
  handshakes("resumed", now.handshakes_resumed);
  to.counter("millraced_tls_handshake_failures_total", "TLS handshakes that failed or were given up.",
             number(now.handshakes_failed));
}

void add_requests(Families& to, const ServerSnapshot& now) {
  for (std::size_t operation = 0; operation < now.requests.size(); ++operation) {
    for (std::size_t result = 0; result < kResults; ++result) {
      const std::string name(result == 0 ? "ok" : code_name(static_cast<Code>(result)));
      to.counter("millraced_requests_total", "Requests that have ended, by operation and result.",
                 number(now.requests[operation][result]),
                 {{"op", std::string(kOperationNames[operation])}, {"result", name}});
    }
  }
  to.counter("millraced_request_errors_total", "Requests that ended with an error.", number(now.requests_failed()));
  for (std::size_t operation = 0; operation < now.durations.size(); ++operation)
    to.histogram("millraced_request_duration_seconds", "How long requests took that ended well.",
                 now.durations[operation], {{"op", std::string(kOperationNames[operation])}});
  to.counter("millraced_requests_busy_total", "Requests that were refused because the server had no room for them.",
             number(now.requests_busy));
}

void add_transfers(Families& to, const ServerSnapshot& now) {
  using Count = std::uint64_t TransferTotals::*;
  const auto by_direction = [&](const char* name, const char* help, Count count, bool is_gauge) {
    for (std::size_t i = 0; i < now.transfers.size(); ++i) {
      const MetricLabels labels{{"direction", std::string(kDirectionNames[i])}};
      if (is_gauge) {
        to.gauge(name, help, number(now.transfers[i].*count), labels);
      } else {
        to.counter(name, help, number(now.transfers[i].*count), labels);
      }
    }
  };
  by_direction("millraced_transfers_active", "Uploads (in) and downloads (out) under way.", &TransferTotals::active,
               true);
  by_direction("millraced_transfer_logical_bytes_total", "Bytes of the files that were transferred.",
               &TransferTotals::logical, false);
  by_direction("millraced_transfer_wire_bytes_total", "Bytes at the sockets, of all connections.",
               &TransferTotals::wire, false);
  for (std::size_t i = 0; i < now.transfers.size(); ++i) {
    const auto kind = [&](const char* name, std::uint64_t bytes) {
      to.counter("millraced_delta_bytes_total",
                 "Bytes of transferred files that the other side had (matched), that travelled (literal, before "
                 "compression) or that were runs of zeros.",
                 number(bytes), {{"direction", std::string(kDirectionNames[i])}, {"kind", name}});
    };
    kind("matched", now.transfers[i].matched);
    kind("literal", now.transfers[i].literal);
    kind("zero", now.transfers[i].zero);
  }
  to.counter("millraced_saved_bytes_total", "Bytes of transferred files that did not have to travel.",
             number(now.saved_bytes()));
  const auto cache = [&](const char* result, std::uint64_t count) {
    to.counter("millraced_signature_cache_requests_total", "Block hashes that were asked for, by range.", number(count),
               {{"result", result}});
  };
  cache("hit", now.signatures.hits);
  cache("miss", now.signatures.misses);
}

std::uint64_t damaged(const ServerSnapshot& now, Operation operation) {
  return now.requests[static_cast<std::size_t>(operation)][static_cast<std::size_t>(Code::kIntegrity)];
}

void add_trust(Families& to, const ServerSnapshot& now) {
  const auto fallbacks = [&](const char* reason, std::uint64_t count) {
    to.counter("millraced_delta_fallbacks_total",
               "Uploads whose delta made something else than was announced, so that chunks or the file came again.",
               number(count), {{"reason", reason}});
  };
  fallbacks("wrong_chunks", now.asked_chunks);
  fallbacks("wrong_file", now.asked_all);
  const auto resumes = [&](const char* result, std::uint64_t count) {
    to.counter("millraced_resumes_total", "Uploads that went on from what was left of one that was cut off.",
               number(count), {{"result", result}});
  };
  resumes("ok", now.resumed);
  resumes("failed", now.resumed_failed);
  const auto failures = [&](const char* stage, std::uint64_t count) {
    to.counter("millraced_integrity_failures_total", "Content that was not what its digest says.", number(count),
               {{"stage", stage}});
  };
  failures("patch", now.wrong_roots);
  failures("upload", damaged(now, Operation::kUpload) + damaged(now, Operation::kHttpPut));
  failures("download", damaged(now, Operation::kDownload) + damaged(now, Operation::kHttpGet));
  failures("verify", damaged(now, Operation::kVerify));
  failures("scrub", now.store.scrub_damaged);
  const auto quota = [&](const char* kind, std::uint64_t count) {
    to.counter("millraced_quota_rejections_total",
               "What was refused because an account may not have more bytes or files, or the disk has no room for it.",
               number(count), {{"kind", kind}});
  };
  quota("bytes", now.store.refused_bytes);
  quota("files", now.store.refused_files);
  quota("disk", now.store.refused_disk);
  const auto hashed = [&](const char* algorithm, const char* purpose, std::uint64_t bytes) {
    to.counter("millraced_hash_bytes_total", "Bytes that were hashed.", number(bytes),
               {{"algorithm", algorithm}, {"purpose", purpose}});
  };
  hashed("sha256", "transfer", now.hashed.transfers);
  hashed("sha256", "http", now.hashed.http);
  hashed("sha256", "store", now.hashed.store);
  hashed("sha256", "scrub", now.hashed.scrub);
  hashed("xxh3", "copy", now.store.checked_bytes);
}

void add_storage(Families& to, const ServerSnapshot& now) {
  const auto kind = [&](const char* name, std::uint64_t bytes) {
    to.gauge("millraced_storage_bytes", "Bytes that are stored.", number(bytes), {{"kind", name}});
  };
  kind("files", now.store.stored.bytes);
  kind("trash", now.store.trash_bytes);
  kind("partial", now.store.partial_bytes);
  to.gauge("millraced_storage_files", "Files that are stored.", number(now.store.stored.files));
  to.gauge("millraced_storage_free_bytes", "Bytes that are free on the file system of the data folder.",
           number(now.store.free_bytes));
  to.gauge("millraced_storage_total_bytes", "Bytes of the file system of the data folder.",
           number(now.store.total_bytes));
  to.gauge("millraced_storage_reserve_bytes", "Below so many free bytes the server is not ready.",
           number(now.reserve_bytes));
  to.gauge("millraced_partial_uploads", "Uploads that were cut off and can go on.", number(now.store.partial_uploads));
  to.histogram("millraced_fsync_duration_seconds", "How long flushes to the disk took.", now.store.file_flushes,
               {{"kind", "file"}});
  to.histogram("millraced_fsync_duration_seconds", "How long flushes to the disk took.", now.store.folder_flushes,
               {{"kind", "folder"}});
  to.histogram("millraced_catalogue_transaction_duration_seconds",
               "How long transactions of the catalogue took, flushes included.", now.store.transactions);
  to.histogram("millraced_catalogue_query_duration_seconds",
               "How long reads of the catalogue took, waits for an open transaction included.", now.store.queries);
}

void add_inside(Families& to, const ServerSnapshot& now) {
  for (std::size_t i = 0; i < now.loops.size(); ++i)
    to.gauge("millraced_event_loop_lag_seconds", "99th percentile of how late the loop was in the last second.",
             now.loops[i].lag_p99_s, {{"loop", std::to_string(i)}});
  for (const QueueView& queue : now.queues)
    to.gauge("millraced_worker_queue_length", "Jobs that wait for a worker.", number(queue.length),
             {{"queue", std::string(queue.name)}});
  for (const QueueView& queue : now.queues)
    to.gauge("millraced_worker_wait_seconds", "99th percentile of how long jobs waited that began in the last second.",
             queue.wait_p99_s, {{"queue", std::string(queue.name)}});
  const auto buffers = [&](const char* kind, std::uint64_t bytes) {
    to.gauge("millraced_buffer_memory_bytes", "Memory of all buffers of transfers.", number(bytes), {{"kind", kind}});
  };
  buffers("used", now.buffers);
  buffers("most", now.buffers_most);
  buffers("limit", now.buffers_limit);
  to.gauge("millraced_transfers_waiting", "Transfers that wait for memory.", number(now.waiting_for_memory));
  to.counter("process_cpu_seconds_total", "CPU time of the process.", now.process.cpu_seconds);
  to.gauge("process_resident_memory_bytes", "Resident memory of the process.", number(now.process.resident_bytes));
  to.gauge("process_virtual_memory_bytes", "Virtual memory of the process.", number(now.process.virtual_bytes));
  to.gauge("process_open_fds", "Open descriptors of the process.", number(now.process.open_descriptors));
  to.gauge("process_max_fds", "Descriptors that the process may have.", number(now.process.most_descriptors));
  to.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.",
           static_cast<double>(now.started_ms) / 1000);
}

}  // namespace

Families metric_families(const ServerSnapshot& now) {
  Families out;
  out.gauge("millraced_build_info", "The program.", 1, {{"version", MILLRACE_VERSION}, {"revision", now.revision}});
  out.gauge("millraced_ready", "1 when the server takes requests and can store what comes.", now.is_ready() ? 1 : 0);
  add_connections(out, now);
  add_requests(out, now);
  add_transfers(out, now);
  add_trust(out, now);
  add_storage(out, now);
  add_inside(out, now);
  return out;
}

}  // namespace millrace
