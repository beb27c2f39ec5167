#include "server/api/json_reply.h"

namespace millrace {

namespace {

class JsonBody final : public HttpHandler {
 public:
  JsonBody(ApiRequest request, std::function<void(ApiRequest&, const nlohmann::json&)> on_object)
      : request_(std::move(request)), on_object_(std::move(on_object)) {}

  void on_body(ByteView bytes) override {
    if (is_over_) return;
    text_ += as_text(bytes);
    if (text_.size() > kMostJsonBody) refuse(413, Code::kTooLarge, "The body is too long.");
  }
  void on_body_end() override {
    if (is_over_) return;
    const nlohmann::json value = nlohmann::json::parse(text_, nullptr, false);
    if (!value.is_object()) return refuse(400, Code::kUsage, "The body must be a JSON object.");
    is_over_ = true;
    on_object_(request_, value);
  }

 private:
  void refuse(int status, Code code, const char* sentence) {
    is_over_ = true;
    reply_problem(request_, {status, {code, sentence}});
  }

  ApiRequest request_;
  const std::function<void(ApiRequest&, const nlohmann::json&)> on_object_;
  std::string text_;
  bool is_over_ = false;
};

}  // namespace

std::string to_text(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void reply_json(ApiRequest& request, const nlohmann::json& value, HttpHead head) {
  reply_json_text(request, to_text(value), std::move(head));
}

void reply_json_text(ApiRequest& request, std::string_view text, HttpHead head) {
  note_end(request, Operation::kHttpApi, false, request.request.path, std::nullopt, std::nullopt, text.size());
  head.add("Content-Type", "application/json").add("Cache-Control", "no-store");
  request.port.respond_text(std::move(head), text);
}

void reply_problem(ApiRequest& request, const HttpProblem& problem) {
  note_end(request, Operation::kHttpApi, false, request.request.path, problem.error.code);
  request.port.refuse(problem);
}

std::shared_ptr<HttpHandler> read_json(ApiRequest request,
                                       std::function<void(ApiRequest&, const nlohmann::json&)> on_object) {
  return std::make_shared<JsonBody>(std::move(request), std::move(on_object));
}

}  // namespace millrace
