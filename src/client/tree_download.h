// `download -r`: folders of the server to a local folder. Each stage feeds the next and waits while that has enough:
// listing -> making folders and comparing size, time and mode with the local file (workers) -> fetching. What the
// server names is reached below the local folder part by part and never through a link.
#pragma once

#include <deque>
#include <set>

#include "client/command_run.h"
#include "client/local_files.h"
#include "client/selection.h"

namespace millrace {

class TreeDownload final : public ItemFeed {
 public:
  /// `remotes`: paths on the server; one that is empty or ends in '/' means a folder's contents. `local` is made where
  /// it is missing. The run must outlive it.
  TreeDownload(CommandRun& run, std::vector<std::string> remotes, std::string local, Selection selection);
  /// Begins to list. Once, when there is a connection. Errors: those of the local folder.
  Status begin();

  std::optional<std::uint64_t> next_bytes() const override;
  void start_next(std::function<void()> over) override;
  bool exhausted() const override;
  void leave_behind(const Error& error) override;

 private:
  struct Candidate {
    std::string remote;
    std::string path;                         ///< below the local folder
    std::optional<wire::EntryMessage> there;  ///< nothing: not listed, the address is a file's
  };
  struct Ready {
    Candidate candidate;
    LocalPlace place;
    std::shared_ptr<FileSource> basis;  ///< null: none
    bool alike = false;
  };
  struct Preparation;

  void advance();
  void list();
  /// The server goes away: the same page is asked for again. False: it does not.
  bool ask_later(const Error& error);
  void on_listed(const wire::Entries& entries);
  void end_of_root();
  void take(const wire::EntryMessage& entry);
  void found(std::uint64_t bytes);
  bool is_wanted(const std::string& path);
  void prepare();
  void on_prepared(Preparation& preparation);
  static Result<Ready> look(const LocalFolder& top, Candidate candidate, const CommandOptions& options);
  void fetch(Ready ready, std::size_t number, std::function<void()> over);

  CommandRun& run_;
  std::vector<std::string> remotes_;
  std::string local_;
  Selection selection_;
  std::shared_ptr<const LocalFolder> top_;  ///< null in a dry run into a folder that is not there
  std::size_t next_remote_ = 0;
  std::string root_;                    ///< that is listed, without a '/' behind
  std::string name_;                    ///< in front of what is below it
  std::string cursor_;                  ///< of the listing
  std::set<std::string> unseen_names_;  ///< of --files-from
  bool listing_ = false;
  bool in_root_ = false;
  std::size_t preparing_ = 0;  ///< jobs
  std::size_t files_found_ = 0;
  std::uint64_t bytes_found_ = 0;
  std::size_t next_number_ = 0;
  std::deque<Candidate> to_prepare_;
  std::deque<Ready> ready_;
};

}  // namespace millrace
