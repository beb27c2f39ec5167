#include "server/server_tls.h"

#include "net/certificate.h"
#include "net/tls_stream.h"
#include "server/last_words.h"

namespace millrace {

Status ServerTls::load() {
  MILLRACE_ASSIGN(auto loaded, TlsContext::for_server(files_));
  MILLRACE_ASSIGN(auto fingerprint, fingerprint_in(files_.certificate));
  const std::lock_guard lock(mutex_);
  context_ = std::move(loaded);
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

std::unique_ptr<Stream> secure(std::unique_ptr<TcpStream> accepted, const ServerTls* tls) {
  if (tls == nullptr) return accepted;
  auto stream = std::make_unique<TlsStream>(std::move(accepted), tls->context(), std::string(), nullptr);
  stream->set_plain_answer(last_words({Code::kTls, "This server speaks TLS only; connect with --tls."}));
  return stream;
}

}  // namespace millrace
