// What the server writes down: nobody outside can forge a line, and nobody can flood it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "server/audit_log.h"
#include "server/log.h"

using namespace millrace;

namespace {

struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::string read() const {
    std::string out(65536, '\0');
    const ssize_t got = ::read(ends[0], out.data(), out.size());
    out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return out;
  }
  int ends[2];
};

constexpr char kHostile[] = "a\nerror: forged\x1b[31m\"\\\xff";

}  // namespace

TEST_CASE("control characters, quotes and bytes that are no UTF-8 cannot leave their place in a line") {
  const Pipe pipe;
  Log text({LogFormat::kText, LogLevel::kInfo, 1}, pipe.ends[1]);
  text.write(LogLevel::kInfo, kHostile, LogFields().add("path", kHostile).add("n", 7).add_seconds("s", 0.25));
  CHECK(pipe.read() ==
        R"(info: a\nerror: forged\x1b[31m"\\\xff path="a\\nerror: forged\\x1b[31m\"\\\\\\xff" n=7 s=0.250)"
        "\n");
  Log json({LogFormat::kJson, LogLevel::kInfo, 1}, pipe.ends[1]);
  json.write(LogLevel::kWarning, "x", LogFields().add("path", kHostile));
  const std::string line = pipe.read();
  CHECK(line.starts_with("{\"time\":\"20"));
  CHECK(line.ends_with(R"("level":"warning","message":"x","path":"a\\nerror: forged\\x1b[31m\"\\\\\\xff"})"
                       "\n"));
}

TEST_CASE("what is below the level is not written, and the level can change") {
  const Pipe pipe;
  Log log({LogFormat::kText, LogLevel::kWarning, 1}, pipe.ends[1]);
  log.write(LogLevel::kInfo, "no");
  CHECK(pipe.read().empty());
  log.change({LogFormat::kText, LogLevel::kInfo, 1});
  log.write(LogLevel::kInfo, "yes");
  CHECK(pipe.read() == "info: yes\n");
}

TEST_CASE("warnings that clients cause are bounded, and those left out are counted") {
  const Pipe pipe;
  Log log({LogFormat::kText, LogLevel::kWarning, 2}, pipe.ends[1]);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 5; ++i) log.warn_of_client("slow", {}, begin + std::chrono::seconds(i));
  CHECK(pipe.read() == "warning: slow\nwarning: slow\n");
  log.warn_of_client("slow", {}, begin + std::chrono::seconds(61));
  CHECK(pipe.read() == "warning: warnings about clients were left out suppressed=3\nwarning: slow\n");
}

TEST_CASE("the audit log is its owner's only, is appended to, and goes on in a new file when it is reopened") {
  char folder[] = "/tmp/millrace_audit_XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/audit";
  const auto size_of = [](const std::string& name) {
    struct stat stat {};
    return ::stat(name.c_str(), &stat) == 0 ? stat.st_size : -1;
  };
  {
    auto audit = AuditLog::open(path);
    REQUIRE(audit);
    (*audit)->record("", "upload", kHostile, "ok");
    struct stat stat {};
    REQUIRE(::stat(path.c_str(), &stat) == 0);
    CHECK((stat.st_mode & 07777) == 0600);
    const auto before = size_of(path);
    CHECK(before > 0);
    REQUIRE(::rename(path.c_str(), (path + ".1").c_str()) == 0);
    CHECK((*audit)->reopen());
    (*audit)->record("ann", "delete", "x", "E_CONFLICT");
    CHECK(size_of(path + ".1") == before);
    CHECK(size_of(path) > 0);
  }
  const auto again = AuditLog::open(path);
  CHECK(size_of(path) > 0);
  CHECK(!AuditLog::open(std::string(folder) + "/none/audit"));
  for (const char* name : {"/audit", "/audit.1"}) ::unlink((folder + std::string(name)).c_str());
  ::rmdir(folder);
}
