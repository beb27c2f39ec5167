// What may stand at each path. Every write that anybody asked for is known, with when it was asked for and when it
// ended: acknowledged, it did happen in between; refused, it did not; cut off, it may have, until nobody can do it any
// more. A reader must find what one of them wrote, unless a later one was surely made since; and what it found is sure
// from then on.
//
// Moments are counted, not measured: each call is one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"

namespace millrace::simulation {

class FileModel {
 public:
  using Moment = std::uint64_t;
  using ContentId = std::size_t;
  using WriteId = std::size_t;
  static constexpr ContentId kAbsent = 0;
  static constexpr ContentId kUnknown = SIZE_MAX;  ///< nobody sent that

  struct Content {
    Digest root;
    Buffer bytes;
  };

  /// What somebody wants to store; the same bytes are the same content.
  ContentId add_content(Buffer bytes, const Digest& root);
  const Content& content(ContentId id) const { return contents_[id]; }
  ContentId find(const Digest& root) const;

  Moment now() { return ++now_; }
  WriteId begin_write(const std::string& path, ContentId content);
  WriteId begin_removal(const std::string& path) { return begin_write(path, kAbsent); }
  /// `to` gets whatever stands at `from` then, perhaps nothing.
  WriteId begin_copy(const std::string& from, const std::string& to);
  /// As above where it is known that something stands there.
  WriteId begin_move(const std::string& from, const std::string& to);
  void acknowledged(WriteId write);
  void refused(WriteId write);
  /// Nobody will do it any more, if it has not been done.
  void sealed(WriteId write);
  /// All that has not ended yet: a server begins anew.
  void seal_all();
  bool is_open(WriteId write) const { return !writes_[write].ended; }

  /// Whether `content` may have stood there at some time since `since`.
  bool may_be(const std::string& path, ContentId content, Moment since);
  /// Somebody who began to look at `since` found `content`. False: that cannot be.
  bool found(const std::string& path, ContentId content, Moment since);
  /// Writes of `content` to `path` that may have been made, moves too.
  std::size_t writes_of(const std::string& path, ContentId content) const;
  /// For people: what may stand there.
  std::string describe(const std::string& path);
  /// All paths that anybody wrote to.
  std::vector<std::string> paths() const;

 private:
  struct Write {
    std::string path;
    ContentId content = kAbsent;
    std::string copied_from;   ///< of a copy, whose content is not known
    bool may_be_none = false;  ///< of a copy
    Moment began = 0;
    std::optional<Moment> ended;
    bool is_sure = false;
    bool is_refused = false;
    bool was_found = false;  ///< by a reader: nobody wrote it then
  };
  const std::vector<WriteId>& writes_to(const std::string& path);
  bool may_be(const std::string& path, ContentId content, Moment since, Moment until, int depth);
  bool is_overwritten(const Write& write, Moment since) const;

  Moment now_ = 0;
  std::vector<Content> contents_{Content{}};
  std::map<Digest, ContentId> by_root_;
  std::vector<Write> writes_;
  std::map<std::string, std::vector<WriteId>> by_path_;
};

}  // namespace millrace::simulation
