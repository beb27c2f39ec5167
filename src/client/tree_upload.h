// `upload -r`: local files and folders to a folder of the server. Each stage feeds the next and waits while that has
// enough: walking (a worker) -> comparing size, time and mode with what STAT says of hundreds of paths at once ->
// reading small files and opening large ones (workers) -> sending.
#pragma once

#include <deque>

#include "client/command_run.h"
#include "client/local_files.h"
#include "client/tree_walk.h"
#include "sync/prepared_target.h"

namespace millrace {

class TreeUpload final : public ItemFeed {
 public:
  /// `folder` is where the trees go, empty or with a '/' behind. The run must outlive it.
  TreeUpload(CommandRun& run, std::vector<std::string> locals, std::string folder, Selection selection);
  /// Begins to look for files. Once, when there is a connection.
  void begin();

  std::optional<std::uint64_t> next_bytes() const override;
  void start_next(std::function<void()> over) override;
  bool exhausted() const override;
  void leave_behind(const Error& error) override;

 private:
  struct Candidate {
    WalkedEntry entry;
    std::string remote;
    std::optional<wire::EntryMessage> there;  ///< what STAT said
  };
  struct Ready {
    Candidate candidate;
    std::shared_ptr<LocalSource> source;
    std::shared_ptr<const PreparedTarget> prepared;  ///< of a small new file
  };
  struct Walk;
  struct Preparation;

  void advance();
  void walk();
  void take(WalkedEntry entry);
  void ask_what_is_there();
  void ask_about(const wire::Stat& request, const std::shared_ptr<std::vector<Candidate>>& batch);
  void compare(Candidate candidate);
  void prepare();
  void on_prepared(Preparation& preparation);
  static Result<std::shared_ptr<LocalSource>> open(const WalkedEntry& entry);
  /// Nothing needs to be asked for where nothing is: the content goes with the request.
  TransferOptions options_for(const Candidate& candidate) const;

  CommandRun& run_;
  std::string folder_;
  std::shared_ptr<Walk> walk_;
  bool walking_ = false;
  bool walked_all_ = false;
  std::size_t asking_ = 0;     ///< STATs without an answer
  std::size_t preparing_ = 0;  ///< jobs
  std::size_t files_found_ = 0;
  std::uint64_t bytes_found_ = 0;
  std::size_t next_number_ = 0;
  std::deque<Candidate> walked_;
  std::deque<Candidate> to_send_;
  std::deque<Ready> ready_;
  std::uint64_t ready_bytes_ = 0;
};

}  // namespace millrace
