// The client in the page: a multiplexer and the uploads on it, on the one thread that a worker has. What a server's
// client gives to worker threads waits here in a queue, of which the page takes a step whenever nothing else is to do:
// so what arrives meanwhile is looked at between two jobs, and no call ever stands within another.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "sync/mux.h"
#include "sync/upload_client.h"

namespace millrace {

class PageClient final : public Mux::Owner {
 public:
  PageClient();
  /// What is still open ends with kNetwork, or with what broke the connection.
  ~PageClient() override;
  PageClient(const PageClient&) = delete;
  PageClient& operator=(const PageClient&) = delete;

  /// From the server. False: the connection is broken; send the output that there is, then close.
  bool on_bytes(ByteView bytes);
  /// What to send next, some frames together; empty: nothing for now. Valid until the next call.
  ByteView next_output();

  struct Request {
    std::uint32_t id = 0;  ///< the page's own; names the file to imports.h, too
    std::string path;
    std::uint64_t bytes = 0;
    std::int64_t mtime_ms = 0;
    Expected expected;
  };
  /// Ends by page_ended(), perhaps within this call.
  void upload(const Request& request);
  /// page_ended() is called within, unless it has ended. The server drops what it has.
  void cancel(std::uint32_t id);
  /// The same, but the server keeps what it has for a later upload, as it does when a connection is cut.
  void pause(std::uint32_t id);
  /// Does one job. False: there is none.
  bool turn();
  void set_link(const Link& link) { link_ = link; }

  void wants_write() override {}
  void run(JobKind kind, std::function<void()> work, std::function<void()> done) override;
  void run_deferred(JobKind kind, std::function<void(std::function<void()>)> work, std::function<void()> done) override;
  Result<std::shared_ptr<Conversation>> accept(FrameType type, ByteView payload, StreamPort& port) override;
  Link link() const override { return link_; }
  void on_goaway(const wire::GoAway& message) override;

 private:
  struct Upload {
    std::uint32_t id = 0;
    StreamPort* port = nullptr;  ///< lives as long as its conversation, so until end()
    std::uint64_t wire_bytes = 0;
    double hashed_bytes = 0;  ///< before anything was sent
    double done_bytes = 0;
  };
  /// Hashing, where there is any before content is sent, is the first half of what it went over.
  void observe(std::uint32_t id, const TransferProgress& now);
  /// Counts a piece of output for the upload whose stream it is of.
  void count(const Mux::Piece& piece);
  void note(const Upload& upload) const;
  void end(std::uint32_t id, const Error* error);

  Link link_;
  std::deque<std::function<void()>> jobs_;
  std::map<std::uint32_t, Upload> uploads_;         ///< by the page's number
  std::map<std::uint32_t, std::uint32_t> streams_;  ///< from stream to upload
  Buffer output_;
  std::optional<Error> broken_;
  Toolbox toolbox_;
  Mux mux_;  ///< last: it calls its owner from its constructor
};

}  // namespace millrace
