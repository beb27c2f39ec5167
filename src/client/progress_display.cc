#include "client/progress_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/units.h"

namespace millrace {

namespace {

constexpr std::chrono::seconds kBetweenPlainLines{1};

ProgressStyle settle(const CommandOptions& options) {
  if (options.quiet) return ProgressStyle::kNone;
  if (options.progress != ProgressStyle::kAuto) return options.progress;
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return isatty(STDERR_FILENO) == 1 && !dumb && !options.as_json ? ProgressStyle::kBar : ProgressStyle::kNone;
}

std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(const ProgressSnapshot& now, std::size_t columns) {
  std::string line = now.phase + "  files " + std::to_string(now.files_done) + "/" + std::to_string(now.files) +
                     (now.more_to_find ? "+  " : "  " + std::to_string(now.percent) + " %  ") +
                     human_size(now.wire_bytes) + " on the wire  " + human_size(now.bytes_per_second) + "/s";
  if (now.left) {
    char left[48];
    const auto seconds = now.left->count();
    std::snprintf(left, sizeof left, "  %lld:%02lld:%02lld left", static_cast<long long>(seconds / 3600),
                  static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
    line += left;
  }
  // All of it is ASCII: a byte is a column. The last column stays free, or some terminals wrap.
  if (columns > 1 && line.size() > columns - 1) line.resize(columns - 1);
  return line;
}

ProgressDisplay::ProgressDisplay(const CommandOptions& options) : style_(settle(options)) {}

void ProgressDisplay::draw(const ProgressSnapshot& now, ProgressMeter::Time time) {
  if (style_ == ProgressStyle::kBar) {
    std::fprintf(stderr, "\r%s\x1b[K", progress_line(now, terminal_columns()).c_str());
    std::fflush(stderr);
    drawn_ = true;
  } else if (style_ == ProgressStyle::kPlain && time >= next_plain_) {
    next_plain_ = time + kBetweenPlainLines;
    std::fprintf(stderr, "%s\n", progress_line(now, 0).c_str());
  }
}

void ProgressDisplay::clear() {
  if (!drawn_) return;
  drawn_ = false;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

}  // namespace millrace
