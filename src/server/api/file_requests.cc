#include "server/api/file_requests.h"

#include "base/path.h"
#include "http/percent.h"
#include "server/api/file_download.h"
#include "server/api/file_listing.h"
#include "server/api/file_upload.h"
#include "server/api/folder_download.h"
#include "server/api/json_reply.h"
#include "server/api/precondition.h"

namespace millrace {

namespace {

/// 204, or what went wrong.
void reply_nothing(ApiRequest& request, Operation operation, const std::string& path, const HttpResult<void>& done,
                   const std::string& target = {}) {
  std::optional<Code> error;
  if (!done) error = done.error().error.code;
  note_end(request, operation, true, path, error, {}, 0, target);
  if (!done) return request.port.refuse(done.error());
  HttpHead head;
  head.status = 204;
  request.port.respond(head, {});
}

void move(ApiRequest& request, const nlohmann::json& body) {
  const auto text = [&body](const char* name) -> std::optional<std::string> {
    const auto found = body.find(name);
    if (found == body.end() || !found->is_string()) return std::nullopt;
    // As in addresses, so that any name can be said.
    return percent_decode(found->get<std::string>());
  };
  const auto from = text("from");
  const auto to = text("to");
  if (!from || !to || !check_path(*from, RootAllowed::kNo) || !check_path(*to, RootAllowed::kNo))
    return reply_problem(request, {400, {Code::kUsage, "`from` and `to` must be paths, percent-encoded."}});
  const auto overwrite = body.find("overwrite");
  if (overwrite != body.end() && !overwrite->is_boolean())
    return reply_problem(request, {400, {Code::kUsage, "`overwrite` must be true or false."}});
  const Force force = overwrite != body.end() && overwrite->get<bool>() ? Force::kYes : Force::kNo;
  const auto moved = std::make_shared<HttpResult<void>>();
  request.port.run(
      Workers::kCatalogue, Urgency::kMetadata,
      [moved, store = request.context.store, principal = request.principal(), from = *from, to = *to, force] {
        if (const Status done = store->move(principal, from, to, force); !done)
          *moved = tl::unexpected<HttpProblem>(problem_of(done.error()));
      },
      [request, moved, from = *from, to = *to]() mutable {
        reply_nothing(request, Operation::kMove, from, *moved, to);
      },
      HttpPort::WhenOver::kTell);
}

HttpResult<void> remove(Store& store, const Principal& principal, const std::string& path, Recursive recursive,
                        const Precondition& precondition) {
  Expected expected;
  if (precondition.is_given()) {
    // A folder has no version.
    const auto current = recursive == Recursive::kYes ? std::nullopt : store.lookup(principal, path);
    const auto checked = precondition.check(current, path);
    if (!checked) return tl::unexpected<HttpProblem>(checked.error());
    expected = *checked;
  }
  const Status removed = store.remove(principal, path, recursive, expected);
  if (!removed) return tl::unexpected<HttpProblem>(precondition.problem_of(removed.error()));
  return {};
}

}  // namespace

Result<std::string> remote_path(const ApiRequest& request) {
  const auto decoded = percent_decode(request.path);
  if (!decoded) return fail(Code::kUsage, "A '%' in an address must be followed by two hexadecimal digits.");
  return *decoded;
}

std::shared_ptr<HttpHandler> get_file(ApiRequest request) {
  auto path = remote_path(request);
  if (!path) return refused(request, Operation::kHttpGet, problem_of(path.error()));
  const bool is_folder = path->empty() || path->ends_with('/');
  if (is_folder && !path->empty()) path->pop_back();
  if (const Status checked = check_path(*path, is_folder ? RootAllowed::kYes : RootAllowed::kNo); !checked)
    return refused(request, Operation::kHttpGet, problem_of(checked.error()));
  if (!is_folder) return download_file(std::move(request), *path);
  const auto archive = query_value(request.request.query, "archive");
  if (!archive) return list_folder(std::move(request), *path);
  if (*archive == "zip") return download_folder(std::move(request), *path);
  return refused(request, Operation::kHttpGet, {400, {Code::kUsage, "The only kind of archive is `archive=zip`."}});
}

std::shared_ptr<HttpHandler> put_file(ApiRequest request) {
  const auto path = remote_path(request);
  if (!path) return refused(request, Operation::kHttpPut, problem_of(path.error()));
  if (const Status checked = check_path(*path, RootAllowed::kNo); !checked)
    return refused(request, Operation::kHttpPut, problem_of(checked.error()));
  return upload_file(std::move(request), *path);
}

std::shared_ptr<HttpHandler> delete_file(ApiRequest request) {
  auto path = remote_path(request);
  if (!path) return refused(request, Operation::kHttpDelete, problem_of(path.error()));
  const bool is_folder = path->ends_with('/');
  if (is_folder) path->pop_back();
  if (const Status checked = check_path(*path, RootAllowed::kNo); !checked)
    return refused(request, Operation::kHttpDelete, problem_of(checked.error()));
  const auto removed = std::make_shared<HttpResult<void>>();
  const Precondition precondition(request.request);
  HttpPort& port = request.port;
  const auto store = request.context.store;
  const Principal principal = request.principal();
  auto held = std::make_shared<ApiRequest>(std::move(request));
  port.run(
      Workers::kCatalogue, Urgency::kMetadata,
      [removed, store, principal, path = *path, is_folder, precondition] {
        *removed = remove(*store, principal, path, is_folder ? Recursive::kYes : Recursive::kNo, precondition);
      },
      [held, removed, path = *path] { reply_nothing(*held, Operation::kHttpDelete, path, *removed); },
      HttpPort::WhenOver::kTell);
  return answered();
}

std::shared_ptr<HttpHandler> move_file(ApiRequest request) {
  return read_json(std::move(request), move);
}

}  // namespace millrace
