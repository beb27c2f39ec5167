#include "client/dial.h"

#include "net/tls_stream.h"

namespace millrace {

namespace {

/// Trust on first use: the key that a server shows first is the one it has to show always.
Status check_pin(const Url& server, const Security& security, const TlsPeer& peer) {
  const std::string where = server.host + ":" + server.port;
  const KnownHosts hosts(security.known_hosts);
  MILLRACE_ASSIGN(const auto known, hosts.find(server));
  if (known == peer.fingerprint) return {};
  if (known) {
    return fail(Code::kTls, "THE KEY OF " + where + " HAS CHANGED: it was " + *known + " and is " + peer.fingerprint +
                                ". Somebody may be listening in between. If the server was set up anew, remove its "
                                "line from '" +
                                hosts.path() + "' and connect again.");
  }
  if (security.strict_pin) {
    return fail(Code::kTls, "The key of " + where + " is not known: it is " + peer.fingerprint +
                                ". If that is what the server says of itself, connect once without --strict-pin.");
  }
  const Status remembered = hosts.remember(server, peer.fingerprint);
  if (security.notice) {
    security.notice("The key of " + where + " is new: " + peer.fingerprint +
                    (remembered ? "; it is remembered in '" + hosts.path() + "'."
                                : "; it cannot be remembered: " + remembered.error().sentence + "."));
  }
  return {};
}

}  // namespace

Result<Dialled> dial(Loop& loop, const Url& url, const Security& security) {
  auto tcp = std::make_unique<TcpStream>(loop);
  TcpStream* const carrier = tcp.get();
  const bool plain =
      security.mode == Security::Mode::kPlain || (security.mode == Security::Mode::kAuto && is_loopback(url.host));
  if (plain) return Dialled{std::move(tcp), carrier};
  MILLRACE_ASSIGN(const auto context, TlsContext::for_client({security.ca, security.certificate, security.key}));
  TlsStream::Verify verify;
  if (!context.verifies_name())
    verify = [url, security](const TlsPeer& peer) { return check_pin(url, security, peer); };
  return Dialled{std::make_unique<TlsStream>(std::move(tcp), context, url.host, std::move(verify)), carrier};
}

}  // namespace millrace
