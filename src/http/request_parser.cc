#include "http/request_parser.h"

#include <llhttp.h>

#include <algorithm>
#include <cassert>

namespace millrace {

namespace {

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < ' ' && c != '\t') || byte == 127;
  });
}

}  // namespace

struct HttpRequestParser::Engine {
  enum class Stage : std::uint8_t { kBefore, kHead, kBody, kEnded };

  Engine(const HttpParserLimits& its_limits, Events its_events) : limits(its_limits), events(std::move(its_events)) {
    llhttp_settings_init(&settings);
    settings.on_message_begin = [](llhttp_t* p) { return of(p).begin(); };
    settings.on_method_complete = [](llhttp_t* p) { return of(p).take_method(); };
    settings.on_url = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).add_target(at, n); };
    settings.on_url_complete = [](llhttp_t* p) { return of(p).end_target(); };
    settings.on_header_field = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).add_name(at, n); };
    settings.on_header_value = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).add_value(at, n); };
    settings.on_header_value_complete = [](llhttp_t* p) { return of(p).end_header(); };
    settings.on_headers_complete = [](llhttp_t* p) { return of(p).end_head(); };
    settings.on_chunk_extension_name = [](llhttp_t* p, const char*, std::size_t n) { return of(p).count_overhead(n); };
    settings.on_chunk_extension_value = [](llhttp_t* p, const char*, std::size_t n) { return of(p).count_overhead(n); };
    settings.on_body = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).body(at, n); };
    settings.on_message_complete = [](llhttp_t* p) { return of(p).end(); };
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = this;
  }

  static Engine& of(llhttp_t* parser) { return *static_cast<Engine*>(parser->data); }

  int refuse(int status, Code code, std::string sentence) {
    problem = HttpProblem{status, {code, std::move(sentence)}};
    return HPE_USER;
  }

  int begin() {
    request = {};
    name.clear();
    value.clear();
    stage = Stage::kHead;
    return 0;
  }

  int take_method() {
    request.method = llhttp_method_name(static_cast<llhttp_method_t>(llhttp_get_method(&parser)));
    return 0;
  }

  int add_target(const char* at, std::size_t count) {
    if (target.size() + count > limits.target_bytes)
      return refuse(414, Code::kTooLarge,
                    "An address may have " + std::to_string(limits.target_bytes) + " bytes at most.");
    target.append(at, count);
    return 0;
  }

  int end_target() {
    target_ended = true;
    return 0;
  }

  int add_name(const char* at, std::size_t count) {
    if (stage != Stage::kHead) return count_overhead(count);
    name.append(at, count);
    return 0;
  }

  int add_value(const char* at, std::size_t count) {
    if (stage != Stage::kHead) return count_overhead(count);
    value.append(at, count);
    return 0;
  }

  int end_header() {
    if (stage != Stage::kHead) return 0;  // a trailer: nobody asks for one
    std::string ended_name = lower(std::exchange(name, {}));
    std::string ended_value = std::exchange(value, {});
    if (request.headers.size() >= limits.headers)
      return refuse(431, Code::kTooLarge, "A request may have " + std::to_string(limits.headers) + " headers at most.");
    ended_value.resize(ended_value.find_last_not_of(" \t") + 1);
    if (has_control(ended_value)) return refuse(400, Code::kProtocol, "A header has control characters in it.");
    request.headers.emplace_back(std::move(ended_name), std::move(ended_value));
    return 0;
  }

  int end_head() {
    if (llhttp_get_http_major(&parser) != 1 || llhttp_get_http_minor(&parser) > 1)
      return refuse(505, Code::kVersion, "This server speaks HTTP/1.1 and HTTP/1.0.");
    request.minor_version = static_cast<unsigned>(llhttp_get_http_minor(&parser));
    request.keeps_alive = llhttp_should_keep_alive(&parser) != 0;
    if (const int refused = check_framing(); refused != 0) return refused;
    if (const int refused = split_target(); refused != 0) return refused;
    stage = Stage::kBody;
    overhead = 0;
    events.on_head(std::move(request));
    // Whoever takes an upgrade reads no further here; for all others what follows is HTTP.
    parser.upgrade = 0;
    return 0;
  }

  int check_framing() {
    std::size_t hosts = 0;
    std::size_t lengths = 0;
    std::size_t encodings = 0;
    std::string encoding;
    for (const auto& [its_name, its_value] : request.headers) {
      hosts += its_name == "host";
      lengths += its_name == "content-length";
      if (its_name == "transfer-encoding") {
        ++encodings;
        encoding = lower(its_value);
      }
    }
    if (hosts > 1 || (hosts == 0 && request.minor_version == 1))
      return refuse(400, Code::kProtocol, "A request must have one Host header.");
    if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0))
      return refuse(400, Code::kProtocol, "A request must say in one way how long its body is.");
    if (encodings > 0 && (encoding != "chunked" || request.minor_version == 0))
      return refuse(501, Code::kProtocol, "The only transfer encoding that this server knows is chunked.");
    request.is_chunked = encodings > 0;
    if (lengths > 0) request.content_length = parser.content_length;
    return 0;
  }

  int split_target() {
    std::string_view rest = target;
    // The absolute form (RFC 9112, section 3.2.2): the Host header counts, which must be there too.
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (!rest.starts_with(scheme)) continue;
      rest.remove_prefix(scheme.size());
      rest.remove_prefix(std::min(rest.find_first_of("/?"), rest.size()));
      break;
    }
    const std::size_t question = std::min(rest.find('?'), rest.size());
    request.path = rest.substr(0, question);
    request.query = rest.substr(std::min(question + 1, rest.size()));
    if (request.path.empty() && target.size() > 1) request.path = "/";
    if (request.path.empty() || request.path.front() != '/')
      return refuse(400, Code::kUsage, "The address must begin with '/'.");
    return 0;
  }

  /// Extensions of chunks, and trailers.
  int count_overhead(std::size_t count) {
    overhead += count;
    if (overhead <= limits.head_bytes) return 0;
    return refuse(400, Code::kProtocol, "There is too much around the chunks of the body.");
  }

  int body(const char* at, std::size_t count) {
    overhead = 0;
    events.on_body(ByteView(reinterpret_cast<const Byte*>(at), count));
    return 0;
  }

  int end() {
    stage = Stage::kEnded;
    return HPE_PAUSED;
  }

  HttpResult<std::size_t> feed(ByteView bytes) {
    assert(stage != Stage::kEnded);
    if (bytes.empty()) return std::size_t{0};
    const auto* const from = reinterpret_cast<const char*>(bytes.data());
    std::size_t taken = 0;
    while (taken < bytes.size() && stage != Stage::kEnded) {
      const bool in_body = stage == Stage::kBody;
      const std::size_t count = std::min(bytes.size() - taken, in_body ? bytes.size() : most_of_head());
      if (!in_body) head_bytes += count;
      const llhttp_errno_t outcome = llhttp_execute(&parser, from + taken, count);
      if (outcome == HPE_PAUSED) {
        taken = static_cast<std::size_t>(llhttp_get_error_pos(&parser) - from);
        break;
      }
      if (outcome != HPE_OK) return tl::unexpected<HttpProblem>(why(outcome));
      taken += count;
      if (!in_body && stage <= Stage::kHead && head_bytes > limits.head_bytes) {
        return http_fail(431, Code::kTooLarge,
                         "The head of a request may have " + std::to_string(limits.head_bytes) + " bytes at most.");
      }
    }
    if (stage == Stage::kEnded) events.on_end();
    return taken;
  }

  /// Of a head, and of the address in it, no more is fed at once than it may have: so what is said of one that is too
  /// long and wrong behind that does not depend on how it was cut on its way.
  std::size_t most_of_head() const {
    const std::size_t left = limits.head_bytes + 1 - head_bytes;
    return target_ended ? left : std::min(left, limits.target_bytes + 1 - target.size());
  }

  HttpProblem why(llhttp_errno_t outcome) {
    if (problem) return *std::exchange(problem, std::nullopt);
    const char* const reason = llhttp_get_error_reason(&parser);
    const bool is_upgrade = outcome == HPE_PAUSED_UPGRADE || outcome == HPE_PAUSED_H2_UPGRADE;
    if (is_upgrade || outcome == HPE_INVALID_METHOD)
      return {501, {Code::kProtocol, "The server does not know this method or protocol."}};
    return {400,
            {Code::kProtocol, std::string("This is not HTTP as it should be: ") +
                                  (reason != nullptr && *reason != '\0' ? reason : llhttp_errno_name(outcome)) + '.'}};
  }

  const HttpParserLimits limits;
  const Events events;
  llhttp_settings_t settings{};
  llhttp_t parser{};
  Stage stage = Stage::kBefore;
  HttpRequest request;
  std::string target;
  bool target_ended = false;
  std::string name;
  std::string value;
  std::size_t head_bytes = 0;  ///< fed since the request began
  std::size_t overhead = 0;    ///< fed since the last byte of the body
  std::optional<HttpProblem> problem;
};

HttpRequestParser::HttpRequestParser(const HttpParserLimits& limits, Events events)
    : engine_(std::make_unique<Engine>(limits, std::move(events))) {}

HttpRequestParser::~HttpRequestParser() = default;

HttpResult<std::size_t> HttpRequestParser::feed(ByteView bytes) {
  return engine_->feed(bytes);
}

void HttpRequestParser::next() {
  engine_->stage = Engine::Stage::kBefore;
  engine_->head_bytes = 0;
  engine_->target.clear();
  engine_->target_ended = false;
  llhttp_resume(&engine_->parser);
}

bool HttpRequestParser::is_in_head() const {
  return engine_->stage == Engine::Stage::kHead;
}

}  // namespace millrace
