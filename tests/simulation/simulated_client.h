// A client that asks for this and that, several things at once, over connections that break; what fails for a reason
// that may pass it tries again.
#pragma once

#include "simulation/simulated_server.h"
#include "simulation/write_ends.h"
#include "sync/client_transfer.h"

namespace millrace::simulation {

class SimulatedClient {
 public:
  SimulatedClient(Simulation& simulation, SimulatedServer& server, WriteEnds& ends, SimulatedClock::Owner number);
  ~SimulatedClient();
  SimulatedClient(const SimulatedClient&) = delete;
  SimulatedClient& operator=(const SimulatedClient&) = delete;

  /// Begins so many operations in the course of time.
  void begin(std::uint64_t operations);
  bool is_done() const { return left_ == 0 && open_.empty(); }
  void disconnect();
  /// What it still waits for.
  std::string describe() const;

 private:
  enum class Kind : std::uint8_t { kUpload, kDownload, kRemove, kMove, kList, kChanges };
  struct Operation {
    std::uint64_t number = 0;
    Kind kind = Kind::kUpload;
    std::string path;
    std::string to;
    FileModel::ContentId content = 0;
    FileModel::ContentId basis = 0;
    bool forced = false;
    TransferOptions options;
    std::uint64_t attempt = 0;
    FileModel::Moment since = 0;
    std::vector<FileModel::WriteId> writes;
  };
  using OperationPtr = std::shared_ptr<Operation>;

  void begin_later();
  void begin_one();
  bool connect();
  void attempt(const OperationPtr& operation);
  void upload(const OperationPtr& operation);
  void download(const OperationPtr& operation);
  void remove(const OperationPtr& operation);
  void move(const OperationPtr& operation);
  void list(const OperationPtr& operation);
  void changes(const OperationPtr& operation);
  void check_download(const Operation& operation, const Result<TransferResult>& result, const Buffer& bytes);
  void check_entries(const Operation& operation, const wire::Entries& entries);
  void over(const OperationPtr& operation, const Status& result);
  /// A stream for it; one that cannot be had now is tried again later.
  void open(const OperationPtr& operation, const std::function<std::shared_ptr<Conversation>(StreamPort&)>& make);

  Simulation& simulation_;
  SeededRandom& random_;
  SimulatedServer& server_;
  WriteEnds& ends_;
  const SimulatedClock::Owner number_;
  std::shared_ptr<SimulatedLoop> loop_;
  SimulatedLanes lanes_;
  Toolbox toolbox_;
  std::shared_ptr<SimulatedSession> session_;
  std::map<std::uint64_t, OperationPtr> open_;
  std::map<std::string, FileModel::ContentId> believed_;
  std::uint64_t left_ = 0;
  std::uint64_t next_operation_ = 1;
};

}  // namespace millrace::simulation
