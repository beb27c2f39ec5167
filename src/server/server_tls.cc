#include "server/server_tls.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/address.h"
#include "net/certificate.h"
#include "net/tls_stream.h"
#include "server/last_words.h"

namespace millrace {

namespace {

void count_handshake(TlsStream& stream, LoopMonitor* monitor) {
  if (monitor == nullptr) return;
  stream.set_on_handshake([monitor](const std::optional<TlsStream::Handshake>& done) {
    std::optional<LoopMonitor::Handshake> counted;
    if (done) counted = {done->is_resumed, done->took};
    monitor->count_handshake(counted);
  });
}

}  // namespace

bool TlsChoice::encrypts(const std::string& host) const {
  return mode == Mode::kOn || (mode == Mode::kAuto && !is_loopback(host));
}

Status check(const TlsChoice& choice, const std::string& host) {
  const TlsContext::ServerFiles& files = choice.files;
  if (files.certificate.empty() != files.key.empty()) return fail(Code::kUsage, "--certificate and --key go together.");
  if (!choice.encrypts(host) && !(files.certificate.empty() && files.client_ca.empty()))
    return fail(Code::kUsage, "Without TLS no certificate is used; add --tls on, or leave them out.");
  return {};
}

Status ServerTls::load() {
  MILLRACE_ASSIGN(auto loaded, TlsContext::for_server(files_));
  MILLRACE_ASSIGN(auto for_http, TlsContext::for_server(files_, kHttpProtocol));
  MILLRACE_ASSIGN(auto fingerprint, fingerprint_in(files_.certificate));
  const std::lock_guard lock(mutex_);
  context_ = std::move(loaded);
  http_context_ = std::move(for_http);
  fingerprint_ = std::move(fingerprint);
  return {};
}

std::string ServerTls::fingerprint() const {
  const std::lock_guard lock(mutex_);
  return fingerprint_;
}

TlsContext ServerTls::context() const {
  const std::lock_guard lock(mutex_);
  return context_.value();
}

TlsContext ServerTls::http_context() const {
  const std::lock_guard lock(mutex_);
  return http_context_.value();
}

Result<std::shared_ptr<ServerTls>> open_server_tls(const TlsChoice& choice, const std::string& host,
                                                   const std::string& data) {
  if (!choice.encrypts(host)) return nullptr;
  TlsContext::ServerFiles files = choice.files;
  if (files.certificate.empty()) {
    const std::string folder = data + "/tls";
    if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST)
      return fail(system_error(errno, "The folder '" + folder + "' cannot be made"));
    files.certificate = folder + "/certificate.pem";
    files.key = folder + "/key.pem";
    char name[HOST_NAME_MAX + 1] = "millraced";
    ::gethostname(name, sizeof name - 1);
    MILLRACE_TRY(ensure_certificate(files.certificate, files.key, name));
  }
  auto tls = std::make_shared<ServerTls>(files);
  MILLRACE_TRY(tls->load());
  return tls;
}

std::unique_ptr<Stream> secure_http(std::unique_ptr<TcpStream> accepted, const ServerTls* tls, LoopMonitor* monitor) {
  if (tls == nullptr) return accepted;
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 42\r\nConnection: close\r\n\r\n"
      "This server speaks HTTPS only: https://...";
  auto stream = std::make_unique<TlsStream>(std::move(accepted), tls->http_context(), std::string(), nullptr);
  Buffer answer;
  append(answer, as_bytes(kAnswer));
  stream->set_plain_answer(std::move(answer));
  count_handshake(*stream, monitor);
  return stream;
}

std::unique_ptr<Stream> secure(std::unique_ptr<TcpStream> accepted, const ServerTls* tls, LoopMonitor* monitor) {
  if (tls == nullptr) return accepted;
  auto stream = std::make_unique<TlsStream>(std::move(accepted), tls->context(), std::string(), nullptr);
  stream->set_plain_answer(last_words({Code::kTls, "This server speaks TLS only; connect with --tls."}));
  count_handshake(*stream, monitor);
  return stream;
}

}  // namespace millrace
