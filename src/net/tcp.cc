#include "net/tcp.h"

#include <netdb.h>
#include <sys/ioctl.h>

#include <cstring>

namespace millrace {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kBytesPerTurn = 2 * kReadBytes;  ///< then a stream gives way to the others of its loop

/// libuv fills it and hands it on within one call, so all sockets of a loop, which is a thread, share one.
Buffer& read_buffer() {
  thread_local Buffer buffer(kReadBytes);
  return buffer;
}

Error network_error(int status, const std::string& what) {
  return {Code::kNetwork, what + ": " + uv_strerror(status)};
}

}  // namespace

struct TcpStream::Handle {
  uv_tcp_t tcp{};
  TcpStream* owner = nullptr;
  Events events;
  bool reading = false;
  bool refused = false;
  bool broken = false;         ///< a write failed: what is left to be read is read, and its end says why
  MutableBytes place{};        ///< of the read that is under way
  std::size_t turn_bytes = 0;  ///< since the last read that left nothing in the socket

  void stop_reading() {
    reading = false;
    uv_read_stop(reinterpret_cast<uv_stream_t*>(&tcp));
  }
};

/// A connection that is being made: the addresses of its host, of which those before `next` were tried.
struct TcpStream::Connecting {
  uv_connect_t request{};
  Handle* handle = nullptr;
  std::vector<sockaddr_storage> addresses;
  std::size_t next = 0;
  int status = UV_EADDRNOTAVAIL;  ///< of the last attempt
  std::function<void(Status)> done;
  std::string where;
};

TcpStream::TcpStream(Loop& loop) {
  make_handle(loop.raw());
}

TcpStream::~TcpStream() {
  close();
}

void TcpStream::make_handle(uv_loop_t* loop) {
  handle_ = new Handle;
  uv_tcp_init(loop, &handle_->tcp);
  handle_->tcp.data = handle_;
  handle_->owner = this;
}

void TcpStream::close_handle() {
  handle_->owner = nullptr;
  handle_->events = {};
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->tcp),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
  handle_ = nullptr;
}

void TcpStream::close() {
  if (handle_ != nullptr) close_handle();
}

void TcpStream::connect(const std::string& host, const std::string& port, std::function<void(Status)> done) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int looked_up = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (looked_up != 0)
    return done(fail(Code::kNetwork, "The host '" + host + "' cannot be found: " + gai_strerror(looked_up)));
  auto connecting = std::make_unique<Connecting>();
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    std::memcpy(&connecting->addresses.emplace_back(), one->ai_addr, one->ai_addrlen);
  }
  freeaddrinfo(found);
  connecting->done = std::move(done);
  connecting->where = host + ":" + port;
  try_next(std::move(connecting));
}

void TcpStream::try_next(std::unique_ptr<Connecting> connecting) {
  while (connecting->next < connecting->addresses.size()) {
    if (connecting->next > 0) {
      // A handle connects once only.
      uv_loop_t* const loop = handle_->tcp.loop;
      close_handle();
      make_handle(loop);
    }
    const auto* const address = reinterpret_cast<const sockaddr*>(&connecting->addresses[connecting->next++]);
    connecting->handle = handle_;
    connecting->request.data = connecting.get();
    connecting->status =
        uv_tcp_connect(&connecting->request, &handle_->tcp, address, [](uv_connect_t* request, int status) {
          std::unique_ptr<Connecting> ended(static_cast<Connecting*>(request->data));
          if (status == UV_ECANCELED || ended->handle->owner == nullptr) return;
          ended->status = status;
          if (status != 0) return ended->handle->owner->try_next(std::move(ended));
          uv_tcp_nodelay(&ended->handle->tcp, 1);
          ended->done({});
        });
    if (connecting->status == 0) {
      (void)connecting.release();  // its callback's
      return;
    }
  }
  connecting->done(fail(network_error(connecting->status, "The server " + connecting->where + " cannot be reached")));
}

Status TcpStream::adopt(Socket accepted) {
  if (const int opened = uv_tcp_open(&handle_->tcp, accepted.descriptor()); opened != 0)
    return fail(network_error(opened, "A connection could not be taken"));
  accepted.release();
  uv_tcp_nodelay(&handle_->tcp, 1);
  return {};
}

void TcpStream::start(Events events) {
  handle_->events = std::move(events);
  resume_reading();
}

void TcpStream::pause_reading() {
  if (handle_ != nullptr && handle_->reading && !handle_->broken) handle_->stop_reading();
}

void TcpStream::resume_reading() {
  if (handle_ == nullptr || handle_->reading) return;
  handle_->reading = true;
  uv_read_start(
      reinterpret_cast<uv_stream_t*>(&handle_->tcp),
      [](uv_handle_t* given, std::size_t, uv_buf_t* buffer) {
        auto* const handle = static_cast<Handle*>(given->data);
        handle->refused = handle->events.may_read && !handle->events.may_read();
        if (handle->refused || handle->turn_bytes >= kBytesPerTurn) {
          // libuv reads on in the loop's next turn.
          handle->turn_bytes = 0;
          *buffer = uv_buf_init(nullptr, 0);
          return;
        }
        handle->place = handle->events.space ? handle->events.space() : MutableBytes();
        if (handle->place.empty()) handle->place = read_buffer();
        *buffer =
            uv_buf_init(reinterpret_cast<char*>(handle->place.data()), static_cast<unsigned>(handle->place.size()));
      },
      [](uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
        auto* const handle = static_cast<Handle*>(stream->data);
        if (handle->owner != nullptr && count == UV_ENOBUFS && handle->refused) {
          handle->owner->pause_reading();
          const auto on_refused = handle->events.on_refused;
          return on_refused();
        }
        if (handle->owner == nullptr || count == 0 || count == UV_ENOBUFS) return;
        if (count < 0) {
          const Error error = count == UV_EOF ? Error{Code::kNetwork, "The other side closed the connection"}
                                              : network_error(static_cast<int>(count), "The connection broke");
          handle->stop_reading();
          const auto on_closed = handle->events.on_closed;
          if (on_closed) on_closed(error);
          return;
        }
        const auto bytes = handle->place.first(static_cast<std::size_t>(count));
        handle->turn_bytes = bytes.size() == handle->place.size() ? handle->turn_bytes + bytes.size() : 0;
        handle->owner->bytes_read_ += bytes.size();
        const auto on_bytes = handle->events.on_bytes;
        if (on_bytes) on_bytes(bytes);
      });
}

void TcpStream::write(std::vector<WritePiece> pieces) {
  if (handle_ == nullptr || pieces.empty()) return;
  struct Request {
    uv_write_t request;
    std::vector<WritePiece> pieces;
    Handle* handle;
  };
  auto* request = new Request{{}, std::move(pieces), handle_};
  request->request.data = request;
  std::vector<uv_buf_t> buffers;
  const auto add = [&](ByteView bytes) {
    if (bytes.empty()) return;
    buffers.push_back(uv_buf_init(const_cast<char*>(reinterpret_cast<const char*>(bytes.data())),
                                  static_cast<unsigned>(bytes.size())));
    bytes_written_ += bytes.size();
  };
  for (const WritePiece& piece : request->pieces) {
    add(piece.header);
    add(piece.payload);
  }
  uv_write(&request->request, reinterpret_cast<uv_stream_t*>(&handle_->tcp), buffers.data(),
           static_cast<unsigned>(buffers.size()), [](uv_write_t* written, int status) {
             const std::unique_ptr<Request> ended(static_cast<Request*>(written->data));
             if (status == UV_ECANCELED || ended->handle->owner == nullptr) return;
             if (status != 0) return ended->handle->owner->end_writing(status);
             const auto on_drained = ended->handle->events.on_drained;
             if (on_drained) on_drained();
           });
}

/// The read side says why: there may be the peer's last words before the end.
void TcpStream::end_writing(int status) {
  if (handle_->events.may_read) {
    // Words that may have to wait for memory are not waited for.
    if (handle_->reading) return;
    const auto on_closed = handle_->events.on_closed;
    return on_closed(network_error(status, "The connection broke"));
  }
  handle_->broken = true;
  resume_reading();
}

void TcpStream::finish_writing() {
  if (handle_ == nullptr) return;
  auto* const request = new uv_shutdown_t{};
  const auto ended = [](uv_shutdown_t* shut_down, int) { delete shut_down; };
  if (uv_shutdown(request, reinterpret_cast<uv_stream_t*>(&handle_->tcp), ended) != 0) delete request;
}

std::size_t TcpStream::pending_bytes() const {
  return handle_ == nullptr ? 0 : uv_stream_get_write_queue_size(reinterpret_cast<const uv_stream_t*>(&handle_->tcp));
}

std::size_t TcpStream::unread_bytes() const {
  int descriptor = -1;
  int waiting = 0;
  if (handle_ == nullptr || uv_fileno(reinterpret_cast<const uv_handle_t*>(&handle_->tcp), &descriptor) != 0) return 0;
  return ioctl(descriptor, FIONREAD, &waiting) == 0 && waiting > 0 ? static_cast<std::size_t>(waiting) : 0;
}

TcpMeasured TcpStream::measured() const {
  int descriptor = -1;
  if (handle_ == nullptr || uv_fileno(reinterpret_cast<const uv_handle_t*>(&handle_->tcp), &descriptor) != 0) return {};
  return measure_tcp(descriptor);
}

}  // namespace millrace
