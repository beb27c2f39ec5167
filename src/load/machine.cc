#include "load/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace millrace {

namespace {

constexpr std::uint64_t kOtherDescriptors = 64;  ///< the loop's own, standard streams, the report
constexpr std::uint64_t kOtherPorts = 100;       ///< for whatever else runs on the machine

/// The value behind "KEY:" or "KEY\t:" in a file of such lines.
std::string line_value(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1) != key) continue;
    const auto begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

/// Lines like "VmRSS:  1234 kB".
std::uint64_t kilobytes(const std::string& path, const std::string& key) {
  return std::strtoull(line_value(path, key).c_str(), nullptr, 10) * 1024;
}

}  // namespace

Environment this_environment() {
  Environment environment;
  utsname name{};
  uname(&name);
  environment.system = std::string(name.sysname) + " " + name.release + " " + name.machine;
  environment.cpu = line_value("/proc/cpuinfo", "model name");
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) == 0)
    environment.cores = static_cast<std::uint32_t>(CPU_COUNT(&cores));
  environment.memory_bytes = kilobytes("/proc/meminfo", "MemTotal");
#ifdef __OPTIMIZE__
  environment.build = "optimised";
#else
  environment.build = "not optimised";
#endif
#ifdef __SANITIZE_ADDRESS__
  environment.build += ", sanitized";
#endif
  return environment;
}

std::optional<ProcessUsage> usage_of(std::uint32_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::ifstream file(folder + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state to cmajflt
  double user = 0;
  double system = 0;
  fields >> user >> system;
  if (!fields) return std::nullopt;
  ProcessUsage usage;
  usage.cpu_seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  usage.resident_bytes = kilobytes(folder + "/status", "VmRSS");
  usage.peak_resident_bytes = kilobytes(folder + "/status", "VmHWM");
  return usage;
}

ProcessUsage own_usage() {
  return usage_of(static_cast<std::uint32_t>(getpid())).value_or(ProcessUsage{});
}

double thread_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Status prepare_for_connections(std::uint64_t connections) {
  const std::uint64_t needed = connections + kOtherDescriptors;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < needed) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < needed || setrlimit(RLIMIT_NOFILE, &raised) != 0) {
      return fail(Code::kUsage, std::to_string(connections) + " connections need " + std::to_string(needed) +
                                    " descriptors, and this process may have " + std::to_string(limit.rlim_max) +
                                    "; raise the limit (ulimit -Hn) or take fewer clients.");
    }
  }
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (file >> first >> last && last >= first) {
    const std::uint64_t ports = last - first + 1;
    if (connections + kOtherPorts > ports) {
      return fail(Code::kUsage, std::to_string(connections) +
                                    " connections to one address need as many local ports, "
                                    "and there are " +
                                    std::to_string(ports) +
                                    "; widen the range (sysctl net.ipv4.ip_local_port_range) or take fewer clients.");
    }
  }
  return {};
}

}  // namespace millrace
