// Requests by HTTP: what is read of them does not depend on how their bytes were cut on the way, and stays within the
// limits.
#include "fuzz/fuzz.h"
#include "http/request_parser.h"

using namespace millrace;

namespace {

constexpr HttpParserLimits kLimits{2048, 20, 512};

/// All that was read, as text; `cut`: bytes that are fed at once, 0: all of them.
std::string read_all(ByteView bytes, std::size_t cut) {
  std::string seen;
  bool in_body = false;
  bool ended = false;
  HttpRequestParser parser(kLimits, {[&](const HttpRequest& request) {
                                       fuzz::require(request.headers.size() <= kLimits.headers, "headers are bounded");
                                       fuzz::require(request.path.size() + request.query.size() <= kLimits.target_bytes,
                                                     "addresses are bounded");
                                       fuzz::require(request.path.starts_with('/'), "a path begins with a slash");
                                       seen += request.method + " " + request.path + "?" + request.query + "\n";
                                       for (const auto& [name, value] : request.headers) {
                                         fuzz::require(value.find_first_of("\r\n") == std::string::npos,
                                                       "no header is two");
                                         seen += name + ":" + value + "\n";
                                       }
                                       in_body = true;
                                     },
                                     [&](ByteView body) {
                                       fuzz::require(in_body, "a body comes behind its head");
                                       seen += as_text(body);
                                     },
                                     [&] {
                                       in_body = false;
                                       ended = true;
                                       seen += "\nend\n";
                                     }});
  while (!bytes.empty()) {
    const auto taken = parser.feed(bytes.first(cut == 0 ? bytes.size() : std::min(cut, bytes.size())));
    if (!taken) return seen + "status " + std::to_string(taken.error().status);
    fuzz::require(*taken > 0, "something is taken");
    bytes = bytes.subspan(*taken);
    if (std::exchange(ended, false)) parser.next();
  }
  return seen;
}

}  // namespace

void fuzz::run(ByteView bytes) {
  const std::string whole = read_all(bytes, 0);
  require(read_all(bytes, 1) == whole, "bytes one by one are read the same");
  require(read_all(bytes, 7) == whole, "bytes by sevens are read the same");
}

void fuzz::seeds(const AddSeed& add) {
  const auto text = [&](const char* name, std::string_view written) {
    Buffer out;
    append(out, as_bytes(written));
    add(name, out);
  };
  text("get", "GET /api/v1/files/a%20b?list=1 HTTP/1.1\r\nHost: localhost:8000\r\nRange: bytes=0-5\r\n\r\n");
  text("put", "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: h\r\n\r\n");
  text("chunks",
       "POST /f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n");
  text("both", "PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  text("upgrade", "GET /api/v1/connect HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nxx");
  text("absolute", "GET http://h/x?y HTTP/1.0\r\n\r\n");
}
