#include "server/api/file_requests.h"

#include "base/path.h"
#include "http/percent.h"
#include "server/api/file_download.h"
#include "server/api/file_listing.h"
#include "server/api/file_upload.h"
#include "server/api/folder_download.h"
#include "server/api/json_reply.h"

namespace millrace {

namespace {

/// 204, or what went wrong.
void reply_nothing(ApiRequest& request, Operation operation, const std::string& path, const Status& done,
                   const std::string& target = {}) {
  std::optional<Code> error;
  if (!done) error = done.error().code;
  note_end(request, operation, true, path, error, {}, 0, target);
  if (!done) return request.port.refuse(problem_of(done.error()));
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
  const Force force = body.value("overwrite", false) ? Force::kYes : Force::kNo;
  const auto moved = std::make_shared<Status>();
  request.port.run(
      Workers::kCatalogue, Urgency::kMetadata,
      [moved, store = request.context.store, principal = request.principal(), from = *from, to = *to, force] {
        *moved = store->move(principal, from, to, force);
      },
      [request, moved, from = *from, to = *to]() mutable {
        reply_nothing(request, Operation::kMove, from, *moved, to);
      });
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
  const auto removed = std::make_shared<Status>();
  HttpPort& port = request.port;
  const auto store = request.context.store;
  const Principal principal = request.principal();
  auto held = std::make_shared<ApiRequest>(std::move(request));
  port.run(
      Workers::kCatalogue, Urgency::kMetadata,
      [removed, store, principal, path = *path, is_folder] {
        *removed = store->remove(principal, path, is_folder ? Recursive::kYes : Recursive::kNo, Expected{});
      },
      [held, removed, path = *path] { reply_nothing(*held, Operation::kHttpDelete, path, *removed); });
  return answered();
}

std::shared_ptr<HttpHandler> move_file(ApiRequest request) {
  return read_json(std::move(request), move);
}

}  // namespace millrace
