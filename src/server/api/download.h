// What all downloads by HTTP have in common: they are among the transfers while they run, and counted and written down
// at their end.
#pragma once

#include "server/api/api_request.h"
#include "server/api/transfer_memory.h"

namespace millrace {

class Download : public HttpHandler {
 public:
  void on_tick() override {
    if (const Status waits = memory_.wait_at_most(request_.memory_wait_seconds); !waits && !is_noted_)
      refuse(problem_of(waits.error()));
  }
  void on_closed() override {
    if (!is_noted_) end(Code::kNetwork);
  }

 protected:
  Download(ApiRequest request, std::string path)
      : request_(std::move(request)),
        port_(request_.port),
        path_(std::move(path)),
        memory_(request_.loop, request_.context.budget) {}

  void begin_transfer(std::uint64_t total_bytes) {
    TransferView view = transfer_view(request_.origin, Operation::kHttpGet, path_);
    view.direction = Direction::kOut;
    view.total_bytes = total_bytes;
    transfer_.emplace(request_.monitor, std::move(view), [this](const Error& why) { abort(why); });
  }

  void count_sent(std::size_t bytes) {
    transfer_->view.literal_bytes += bytes;
    transfer_->view.wire_bytes += bytes;
  }

  void refuse(const HttpProblem& problem) {
    end(problem.error.code);
    port_.refuse(problem);
  }

  /// What has begun cannot become an error any more: the missing end tells.
  void abort(const Error& why) {
    end(why.code);
    port_.abort(why);
  }

  /// Once, with or without a transfer.
  void end(const std::optional<Code>& error) {
    is_noted_ = true;
    const std::uint64_t wire_bytes = transfer_ ? transfer_->view.wire_bytes : 0;
    if (transfer_) transfer_->end(error);
    transfer_.reset();
    memory_.leave();
    note_end(request_, Operation::kHttpGet, false, path_, error, version_, wire_bytes);
  }

  ApiRequest request_;
  HttpPort& port_;
  const std::string path_;
  TransferMemory memory_;
  std::optional<ActiveTransfer> transfer_;  ///< while it runs
  std::optional<Version> version_;          ///< of a file, once it is known
  bool is_noted_ = false;                   ///< its end
};

}  // namespace millrace
