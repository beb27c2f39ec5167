#include "web/engine/page_client.h"

#include "base/varint.h"
#include "web/engine/imports.h"
#include "web/engine/page_tools.h"

namespace millrace {

namespace {

constexpr std::size_t kOutputBytes = 256u << 10;  ///< of small frames that are sent together

/// A page decodes nothing: it only uploads.
wire::Hello page_hello() {
  wire::Hello hello;
  hello.codecs = 0;
  hello.connection_window = 4u << 20;
  hello.agent = "millrace-page";
  return hello;
}

/// A header was written here, so it can be read.
std::uint32_t stream_of(ByteView header) {
  Reader reader(header.subspan(2));
  return static_cast<std::uint32_t>(reader.varint().value_or(0));
}

}  // namespace

PageClient::PageClient()
    : toolbox_{make_portable_sha256, make_page_codec, page_random_number},
      mux_(Mux::Role::kClient, page_hello(), *this) {}

PageClient::~PageClient() {
  mux_.on_transport_closed(broken_.value_or(Error{Code::kNetwork, "The connection was lost."}));
  jobs_.clear();
}

bool PageClient::on_bytes(ByteView bytes) {
  if (auto status = mux_.on_bytes(bytes); !status) {
    if (!broken_) broken_ = std::move(status).error();
    return false;
  }
  return true;
}

ByteView PageClient::next_output() {
  output_.clear();
  while (output_.size() < kOutputBytes) {
    const auto piece = mux_.next_output();
    if (!piece) break;
    append(output_, piece->header);
    append(output_, piece->payload.view);
    count(*piece);
  }
  return output_;
}

void PageClient::count(const Mux::Piece& piece) {
  const auto stream = streams_.find(stream_of(piece.header));
  if (stream == streams_.end()) return;
  Upload& upload = uploads_[stream->second];
  upload.wire_bytes += piece.header.size() + piece.payload.view.size();
  note(upload);
}

void PageClient::note(const Upload& upload) const {
  page_progress(upload.id, upload.done_bytes, static_cast<double>(upload.wire_bytes));
}

void PageClient::upload(const Request& request) {
  uploads_[request.id].id = request.id;
  const auto done = [this, id = request.id](const Result<TransferResult>& result) {
    end(id, result ? nullptr : &result.error());
  };
  const auto moved = [this, id = request.id](const TransferProgress& now) { observe(id, now); };
  TransferOptions options;
  options.expected = request.expected;
  Attributes attributes;
  attributes.mtime_ns = request.mtime_ms * 1'000'000;
  UploadTarget target{request.path, make_page_file(request.id, request.bytes), attributes};
  const auto opened = mux_.open([&](StreamPort& port) {
    uploads_[request.id].port = &port;
    return make_upload(port, target, options, toolbox_, done, moved);
  });
  if (!opened) return end(request.id, &opened.error());
  if (uploads_.contains(request.id)) streams_[*opened] = request.id;
}

void PageClient::observe(std::uint32_t id, const TransferProgress& now) {
  const auto found = uploads_.find(id);
  if (found == uploads_.end() || now.total_bytes == 0) return;
  Upload& upload = found->second;
  const auto at = static_cast<double>(now.done_bytes);
  double& hashed = upload.hashed_bytes;
  if (now.phase == std::string_view("hashing")) {
    hashed = std::max(hashed, at);
    upload.done_bytes = std::max(upload.done_bytes, at / 2);
  } else {
    const double share = at / static_cast<double>(now.total_bytes);
    upload.done_bytes =
        std::max(upload.done_bytes, hashed / 2 + share * (static_cast<double>(now.total_bytes) - hashed / 2));
  }
  note(upload);
}

void PageClient::end(std::uint32_t id, const Error* error) {
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return;
  const auto wire = static_cast<double>(found->second.wire_bytes);
  std::erase_if(streams_, [id](const auto& one) { return one.second == id; });
  uploads_.erase(found);
  const std::string& sentence = error != nullptr ? error->sentence : std::string();
  page_ended(id, error != nullptr ? static_cast<int>(error->code) : 0, sentence.data(),
             static_cast<std::uint32_t>(sentence.size()), wire);
}

void PageClient::cancel(std::uint32_t id) {
  for (const auto& [stream, upload] : streams_) {
    if (upload == id) return mux_.cancel(stream);
  }
}

void PageClient::pause(std::uint32_t id) {
  const auto found = uploads_.find(id);
  if (found != uploads_.end() && found->second.port != nullptr)
    found->second.port->fail({Code::kNetwork, "The upload was paused."});
}

bool PageClient::turn() {
  if (jobs_.empty()) return false;
  const auto job = std::move(jobs_.front());
  jobs_.pop_front();
  job();
  return true;
}

void PageClient::run(JobKind, std::function<void()> work, std::function<void()> done) {
  jobs_.push_back([work = std::move(work), done = std::move(done)] {
    work();
    done();
  });
}

void PageClient::run_deferred(JobKind, std::function<void(std::function<void()>)> work, std::function<void()> done) {
  jobs_.push_back(
      [this, work = std::move(work), done = std::move(done)] { work([this, done] { jobs_.push_back(done); }); });
}

Result<std::shared_ptr<Conversation>> PageClient::accept(FrameType, ByteView, StreamPort&) {
  return fail(Code::kProtocol, "A page serves nothing.");
}

void PageClient::on_goaway(const wire::GoAway&) {
  page_leaving();
}

}  // namespace millrace
