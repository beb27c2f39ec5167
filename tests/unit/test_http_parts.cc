#include <catch2/catch.hpp>

#include "http/byte_ranges.h"
#include "http/percent.h"
#include "http/request_parser.h"
#include "http/response.h"

using namespace millrace;

namespace {

/// What a parser made of some bytes, fed so many at a time.
struct Parsed {
  std::vector<HttpRequest> requests;
  std::vector<std::string> bodies;
  std::optional<HttpProblem> problem;
};

Parsed parse(std::string_view text, std::size_t piece = 1 << 20, const HttpParserLimits& limits = {}) {
  Parsed out;
  HttpRequestParser parser(limits,
                           {[&](HttpRequest request) {
                              out.requests.push_back(std::move(request));
                              out.bodies.emplace_back();
                            },
                            [&](ByteView bytes) { out.bodies.back() += as_text(bytes); }, [&] { parser.next(); }});
  while (!text.empty()) {
    const auto taken = parser.feed(as_bytes(text.substr(0, piece)));
    if (!taken) {
      out.problem = taken.error();
      return out;
    }
    text.remove_prefix(*taken);
  }
  return out;
}

int status_of(std::string_view text, const HttpParserLimits& limits = {}) {
  const Parsed whole = parse(text, 1 << 20, limits);
  const Parsed by_byte = parse(text, 1, limits);
  REQUIRE(whole.problem.has_value() == by_byte.problem.has_value());
  return whole.problem ? whole.problem->status : 0;
}

}  // namespace

TEST_CASE("requests come out whole however they were cut") {
  const std::string text =
      "GET /a%20b?x=1&y=z HTTP/1.1\r\nHost: h\r\nX-Thing:  some words \r\n\r\n"
      "PUT /c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
      "POST http://other/d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
      "GET /last HTTP/1.0\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{4096}}) {
    const Parsed parsed = parse(text, piece);
    REQUIRE(!parsed.problem);
    REQUIRE(parsed.requests.size() == 4);
    REQUIRE(parsed.requests[0].path == "/a%20b");
    REQUIRE(parsed.requests[0].query == "x=1&y=z");
    REQUIRE(parsed.requests[0].header("x-thing") == "some words");
    REQUIRE(parsed.requests[1].content_length == 5u);
    REQUIRE(parsed.bodies[1] == "hello");
    REQUIRE(parsed.requests[2].path == "/d");
    REQUIRE(parsed.requests[2].is_chunked);
    REQUIRE(parsed.bodies[2] == "abcde");
    REQUIRE(parsed.requests[3].minor_version == 0);
    REQUIRE_FALSE(parsed.requests[3].keeps_alive);
  }
}

TEST_CASE("what could be read in two ways is refused") {
  REQUIRE(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
  REQUIRE(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd") == 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc") == 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") ==
          400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n") ==
          400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n") >= 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n") >= 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n") == 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc") == 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n") == 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n") == 400);
  REQUIRE(status_of("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n") == 400);
  REQUIRE(status_of("GET / HTTP/1.1\nHost: a\n\n") == 400);
  REQUIRE(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n") == 400);
  REQUIRE(status_of("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  REQUIRE(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") >= 400);
  REQUIRE(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") >= 400);
  REQUIRE(status_of("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n") >= 400);
  REQUIRE(status_of("NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n") >= 400);
  REQUIRE(status_of("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n") == 0);
}

TEST_CASE("heads are bounded, and so is what stands around chunks") {
  const HttpParserLimits limits{1000, 10, 100};
  REQUIRE(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(1200, 'x') + "\r\n\r\n", limits) == 431);
  REQUIRE(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(100'000, 'x'), limits) == 431);
  REQUIRE(status_of("GET /" + std::string(150, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", limits) == 414);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 20; ++i) many += "A: b\r\n";
  REQUIRE(status_of(many + "\r\n", limits) == 431);
  // In front of a request, and between two.
  REQUIRE(status_of(std::string(1001, '\n'), limits) == 431);
  REQUIRE(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(100'000, '\n'), limits) == 431);
  const std::string chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  REQUIRE(status_of(chunked + "1;" + std::string(3000, 'e') + "\r\na\r\n0\r\n\r\n", limits) == 400);
  REQUIRE(status_of(chunked + "0\r\nT: " + std::string(3000, 'e') + "\r\n\r\n", limits) == 400);
  std::string small_chunks;
  for (int i = 0; i < 2000; ++i) small_chunks += "1\r\na\r\n";
  REQUIRE(status_of(chunked + small_chunks + "0\r\n\r\n", limits) == 0);
}

TEST_CASE("ranges") {
  using Kind = RangeAnswer::Kind;
  const auto part = [](std::string_view header, std::uint64_t size) {
    const RangeAnswer answer = range_of(header, size);
    return answer.kind == Kind::kPart ? std::optional(answer.range) : std::nullopt;
  };
  REQUIRE(part("bytes=0-9", 100) == HttpRange{0, 10});
  REQUIRE(part("bytes=90-", 100) == HttpRange{90, 10});
  REQUIRE(part("bytes=90-200", 100) == HttpRange{90, 10});
  REQUIRE(part("bytes=-30", 100) == HttpRange{70, 30});
  REQUIRE(part("bytes=-300", 100) == HttpRange{0, 100});
  REQUIRE(range_of("bytes=100-", 100).kind == Kind::kUnsatisfiable);
  REQUIRE(range_of("bytes=-0", 100).kind == Kind::kUnsatisfiable);
  REQUIRE(range_of("bytes=0-", 0).kind == Kind::kUnsatisfiable);
  for (const char* ignored : {"", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1",
                              "bytes=18446744073709551616-", "bytes= 1-2"})
    REQUIRE(range_of(ignored, 100).kind == Kind::kWhole);
}

TEST_CASE("percent-encoding goes there and back") {
  std::string all;
  for (int i = 1; i < 256; ++i) all += static_cast<char>(i);
  REQUIRE(percent_decode(percent_encode_path(all)) == all);
  REQUIRE(percent_encode_path("a b/<c>%") == "a%20b/%3Cc%3E%25");
  REQUIRE_FALSE(percent_decode("%"));
  REQUIRE_FALSE(percent_decode("%2"));
  REQUIRE_FALSE(percent_decode("%zz"));
  REQUIRE(query_value("a=1&b=x%20y+z&c", "b") == "x y z");
  REQUIRE(query_value("a=1&c", "c") == "");
  REQUIRE_FALSE(query_value("a=1", "b"));
  REQUIRE_FALSE(query_value("a=%q", "a"));
}

TEST_CASE("dates") {
  REQUIRE(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  REQUIRE(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
  REQUIRE_FALSE(parse_http_date("Mon, 06 Nov 1994 08:49:37 GMT"));
  REQUIRE_FALSE(parse_http_date("Sun, 31 Feb 1994 08:49:37 GMT"));
  REQUIRE_FALSE(parse_http_date("yesterday"));
}

TEST_CASE("nothing is smuggled into a response's head") {
  HttpHead head;
  head.add("Location", "/a\r\nSet-Cookie: x=1");
  const Buffer out = encode_head(head, {.length = 3}, 0);
  REQUIRE(as_text(out).find("\r\nSet-Cookie") == std::string::npos);
  REQUIRE(as_text(out).find("Content-Length: 3\r\n") != std::string::npos);
}
