#include "client/report.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/path.h"
#include "base/timestamp.h"
#include "base/units.h"

namespace millrace {

namespace {

using nlohmann::json;

constexpr int kEventVersion = 1;
constexpr std::chrono::milliseconds kBetweenProgressEvents{200};
constexpr int kSomeFailed = 3;

std::string token_text(const VersionToken& token) {
  return std::to_string(token.epoch) + "." + std::to_string(token.sequence) + "." + to_hex(token.root).substr(0, 16);
}

std::string root_text(const Digest& root) {
  return root.is_zero() ? std::string() : to_hex(root);
}

char kind_letter(std::uint32_t kind) {
  return kind == 1 ? 'd' : kind == 2 ? 'l' : '-';
}

bool is_transfer(Verb verb) {
  return verb == Verb::kUpload || verb == Verb::kDownload;
}

}  // namespace

int exit_code(Code code) {
  switch (code) {
    case Code::kUsage:
      return 2;
    case Code::kSourceChanged:
      return 4;
    case Code::kNotFound:
      return 10;
    case Code::kConflict:
      return 11;
    case Code::kNotAuthenticated:
      return 12;
    case Code::kNotAllowed:
      return 13;
    case Code::kQuota:
      return 14;
    case Code::kIntegrity:
      return 15;
    case Code::kNetwork:
    case Code::kBusy:
    case Code::kTooSlow:
      return 16;
    case Code::kTls:
      return 17;
    case Code::kVersion:
    case Code::kProtocol:
      return 18;
    default:
      return 1;
  }
}

Report::Report(const CommandOptions& options)
    : options_(options), display_(options), started_(std::chrono::steady_clock::now()) {}

void Report::event(const char* name, json fields) {
  if (!options_.as_json) return;
  fields["event"] = name;
  fields["v"] = kEventVersion;
  fields["ts"] = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  display_.clear();
  std::fprintf(out_, "%s\n", fields.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  // A reader at the other end of a pipe wants to see it now.
  std::fflush(out_);
}

void Report::start(const Url& url) {
  begun_ = true;
  event("start", {{"command", verb_name(options_.verb)},
                  {"host", printable(url.host)},
                  {"port", url.port},
                  {"dry_run", options_.dry_run}});
}

void Report::plan(std::size_t files, std::uint64_t bytes) {
  event("plan", {{"files", files}, {"bytes", bytes}});
}

void Report::progress(const ProgressSnapshot& now, ProgressMeter::Time time) {
  if (options_.as_json && time >= next_progress_event_) {
    next_progress_event_ = time + kBetweenProgressEvents;
    json fields = {{"phase", now.phase},           {"files_done", now.files_done},
                   {"files", now.files},           {"bytes_done", now.bytes_done},
                   {"bytes", now.bytes},           {"percent", now.percent},
                   {"wire_bytes", now.wire_bytes}, {"bytes_per_second", now.bytes_per_second}};
    if (now.left) fields["seconds_left"] = now.left->count();
    event("progress", std::move(fields));
  }
  if (display_.active()) display_.draw(now, time);
}

void Report::file_done(const std::string& local, const std::string& remote, const TransferResult& result,
                       std::uint64_t bytes) {
  ++files_;
  if (result.unchanged) ++unchanged_;
  total_bytes_ += bytes;
  literal_bytes_ += result.literal_bytes;
  matched_bytes_ += result.matched_bytes + result.zero_bytes;
  round_trips_ = std::max(round_trips_, result.round_trips);
  last_ = result.version;
  if (!options_.as_json && !(options_.verbose && says_lines())) return;
  event("file", {{"path", printable(remote)},
                 {"local", printable(local)},
                 {"bytes", bytes},
                 {"unchanged", result.unchanged},
                 {"literal_bytes", result.literal_bytes},
                 {"matched_bytes", result.matched_bytes + result.zero_bytes},
                 {"version", token_text(result.version.token)},
                 {"root", to_hex(result.version.token.root)}});
  if (!options_.verbose || !says_lines()) return;
  display_.clear();
  std::fprintf(out_, "%s  %s bytes  %s\n", printable(remote).c_str(), with_commas(bytes).c_str(),
               result.unchanged ? "unchanged" : (with_commas(result.literal_bytes) + " new").c_str());
}

void Report::file_alike(const std::string& local, const std::string& remote, const Version& version) {
  TransferResult result;
  result.version = version;
  result.unchanged = true;
  result.matched_bytes = version.bytes;
  file_done(local, remote, result, version.bytes);
}

void Report::skipped(const std::string& path, const std::string& reason) {
  ++skipped_;
  event("skipped", {{"path", printable(path)}, {"reason", reason}});
  if (options_.quiet) return;
  display_.clear();
  std::fprintf(stderr, "skipped: '%s' is %s\n", printable(path).c_str(), reason.c_str());
}

void Report::would(const std::string& path, const std::string& sentence) {
  ++files_;
  event("file", {{"path", printable(path)}, {"dry_run", true}, {"would", sentence}});
  if (says_lines()) std::fprintf(out_, "would %s\n", sentence.c_str());
}

void Report::entry(const wire::EntryMessage& entry) {
  const char kind = kind_letter(entry.kind);
  const Attributes& attributes = entry.version.attributes;
  event("entry", {{"path", printable(entry.path)},
                  {"kind", std::string(1, kind)},
                  {"bytes", entry.version.bytes},
                  {"mtime_ns", attributes.mtime_ns},
                  {"mode", attributes.mode},
                  {"root", root_text(entry.version.token.root)}});
  if (options_.as_json) return;
  std::fprintf(out_, "%c%03o %15s %s\n", kind, attributes.mode, with_commas(entry.version.bytes).c_str(),
               printable(entry.path).c_str());
}

void Report::trashed(const wire::EntryMessage& entry) {
  const std::string when = format_timestamp(entry.trashed_ns);
  event("trashed", {{"path", printable(entry.path)},
                    {"at", when},
                    {"bytes", entry.version.bytes},
                    {"mtime_ns", entry.version.attributes.mtime_ns},
                    {"mode", entry.version.attributes.mode}});
  if (options_.as_json) return;
  std::fprintf(out_, "%s %15s %s\n", when.c_str(), with_commas(entry.version.bytes).c_str(),
               printable(entry.path).c_str());
}

void Report::request_done(const std::string& path, const char* what) {
  ++files_;
  event("file", {{"path", printable(path)}, {"result", what}});
  if (says_lines()) std::fprintf(out_, "%s: %s\n", printable(path).c_str(), what);
}

void Report::count_failure(Code code) {
  if (failures_ == 0) first_failure_ = code;
  ++failures_;
}

void Report::failed(const Error& error, const std::string& path) {
  // A lost connection fails all that is in flight with the same words: once is enough.
  const bool of_connection = error.code == Code::kNetwork || error.code == Code::kCancelled ||
                             error.code == Code::kProtocol || error.code == Code::kVersion ||
                             error.code == Code::kTls || error.code == Code::kTooSlow;
  if (of_connection && error.sentence == last_connection_failure_) return left_behind(error, path);
  if (of_connection) {
    last_connection_failure_ = error.sentence;
    lost_code_ = error.code;
  }
  count_failure(error.code);
  display_.clear();
  std::fprintf(stderr, "error[%s]: %s\n", std::string(code_name(error.code)).c_str(), error.sentence.c_str());
  event("error",
        {{"code", std::string(code_name(error.code))}, {"path", printable(path)}, {"sentence", error.sentence}});
}

void Report::left_behind(const Error& error, const std::string& path) {
  count_failure(error.code);
  ++left_behind_;
  if (!lost_code_) lost_code_ = error.code;
  event("error",
        {{"code", std::string(code_name(error.code))}, {"path", printable(path)}, {"sentence", error.sentence}});
}

int Report::finish(const Traffic& traffic) {
  display_.clear();
  if (left_behind_ > 0) {
    std::fprintf(stderr, "%s more files were not transferred.\n", with_commas(left_behind_).c_str());
  }
  if (skipped_ > 0 && !options_.quiet) {
    std::fprintf(stderr, "%s skipped: not files or folders to take along.\n", with_commas(skipped_).c_str());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  event("summary", {{"files", files_},
                    {"failed", failures_},
                    {"unchanged", unchanged_},
                    {"skipped", skipped_},
                    {"bytes_sent", traffic.sent},
                    {"bytes_received", traffic.received},
                    {"literal_bytes", literal_bytes_},
                    {"matched_bytes", matched_bytes_},
                    {"total_bytes", total_bytes_},
                    {"round_trips", round_trips_},
                    {"seconds", seconds},
                    {"version", last_ ? token_text(last_->token) : ""},
                    {"root", last_ ? to_hex(last_->token.root) : ""},
                    {"dry_run", options_.dry_run}});
  if (begun_ && is_transfer(options_.verb) && says_lines() && !options_.dry_run) {
    const double wire = static_cast<double>(traffic.sent + traffic.received);
    std::fprintf(out_, "sent %s bytes  received %s bytes  %s bytes/sec\n", with_commas(traffic.sent).c_str(),
                 with_commas(traffic.received).c_str(),
                 with_commas(static_cast<std::uint64_t>(wire / std::max(seconds, 1e-3))).c_str());
    std::fprintf(out_, "total size is %s  speedup is %.2f\n", with_commas(total_bytes_).c_str(),
                 static_cast<double>(total_bytes_) / std::max(wire, 1.0));
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fprintf(stderr, "error[E_FAILED]: The output could not be written: %s\n", std::strerror(errno));
    if (failures_ == 0 && !forced_code_) return 1;
  }
  if (forced_code_) return *forced_code_;
  if (failures_ == 0) return 0;
  if (lost_code_) return exit_code(*lost_code_);
  return files_ > 0 ? kSomeFailed : exit_code(first_failure_);
}

}  // namespace millrace
