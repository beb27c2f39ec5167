// Uploads that ended: what an acknowledgement promises besides the content.
#pragma once

#include <map>

#include "simulation/simulation.h"
#include "store/store.h"

namespace millrace::simulation {

/// Errors after which it is certain that nothing happened.
inline bool is_refusal(const Error& error) {
  return error.code == Code::kConflict || error.code == Code::kNotFound || error.code == Code::kUsage;
}

class WriteEnds {
 public:
  using WriteId = FileModel::WriteId;
  explicit WriteEnds(Simulation& simulation) : simulation_(simulation) {}

  WriteId begin(const std::string& path, FileModel::ContentId content, const Expected& expected);
  /// Acknowledged: it is that content, its sequence is above all that were acknowledged before it began, and no two
  /// writes have replaced one and the same version. Refused: it did not happen, if `only_try`. Otherwise it may have.
  void ended(WriteId write, const Result<Version>& result, bool only_try = true);

 private:
  struct Begun {
    std::string path;
    FileModel::ContentId content = 0;
    Expected expected;
    std::uint64_t sequence_before = 0;
  };
  Simulation& simulation_;
  std::map<WriteId, Begun> begun_;
  std::uint64_t last_sequence_ = 0;
  std::optional<std::uint64_t> epoch_;
  std::map<std::pair<std::string, FileModel::ContentId>, std::size_t> replaced_;
};

}  // namespace millrace::simulation
