#include "simulation/write_ends.h"

#include <algorithm>

namespace millrace::simulation {

WriteEnds::WriteId WriteEnds::begin(const std::string& path, FileModel::ContentId content, const Expected& expected) {
  const WriteId id = simulation_.model.begin_write(path, content);
  begun_[id] = {path, content, expected, last_sequence_};
  return id;
}

void WriteEnds::ended(WriteId write, const Result<Version>& result, bool only_try) {
  const Begun& begun = begun_.at(write);
  FileModel& model = simulation_.model;
  if (!result) {
    simulation_.note("not written: " + begun.path + ": " + result.error().sentence);
    if (result.error().code == Code::kIntegrity) simulation_.fail(result.error().sentence);
    if (only_try && is_refusal(result.error())) model.refused(write);
    return;
  }
  simulation_.note("written: " + begun.path + " content " + std::to_string(begun.content) + " sequence " +
                   std::to_string(result->token.sequence));
  model.acknowledged(write);
  if (result->token.root != model.content(begun.content).root)
    simulation_.fail("the acknowledgement of " + begun.path + " names another content");
  if (epoch_.value_or(result->token.epoch) != result->token.epoch) simulation_.fail("the epoch changed");
  epoch_ = result->token.epoch;
  const bool is_only_one = model.writes_of(begun.path, begun.content) == 1;
  if (result->token.sequence <= begun.sequence_before && is_only_one)
    simulation_.fail("the sequence of " + begun.path + " did not grow");
  last_sequence_ = std::max(last_sequence_, result->token.sequence);
  if (begun.expected.kind == Expected::Kind::kAny || !is_only_one) return;
  const auto before =
      begun.expected.kind == Expected::Kind::kNone ? FileModel::kAbsent : model.find(begun.expected.root);
  // Nothing stood there at the beginning, which counts as a write.
  const std::size_t most = model.writes_of(begun.path, before);
  if (++replaced_[{begun.path, before}] > most)
    simulation_.fail("one version of " + begun.path + " was replaced twice:\n" + model.describe(begun.path));
}

}  // namespace millrace::simulation
