// Clients that are told why they are not served: HELLO, an ERROR about the connection, and an end that is no reset.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "net/timer.h"
#include "server/server_tls.h"

namespace millrace {

/// Lives on one loop. Holds a client until it has closed the connection too, or for a few seconds: what it sent must be
/// read, or the system would reset the connection and the client might never see the reason.
class Refusals {
 public:
  /// `tls`: null where connections are plain.
  Refusals(Loop& loop, std::shared_ptr<const ServerTls> tls, std::function<void()> on_ended);
  ~Refusals();
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;
  void refuse(Socket client, const Error& error);
  std::size_t count() const { return refused_.size(); }
  void close_all();

 private:
  struct Refused;
  void end(std::uint64_t number);
  Loop& loop_;
  const std::shared_ptr<const ServerTls> tls_;
  std::function<void()> on_ended_;  ///< one fewer
  std::map<std::uint64_t, std::unique_ptr<Refused>> refused_;
  std::uint64_t next_number_ = 0;
};

}  // namespace millrace
