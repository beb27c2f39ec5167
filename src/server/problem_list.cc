#include "server/problem_list.h"

namespace millrace {

void ProblemList::add(LogLevel level, std::string text, std::int64_t time_ms) {
  const std::lock_guard lock(mutex_);
  if (!problems_.empty() && problems_.front().text == text) {
    problems_.front().time_ms = time_ms;
    problems_.front().id = ++last_id_;
    ++problems_.front().count;
    return;
  }
  problems_.push_front({++last_id_, time_ms, level, std::move(text), 1});
  if (problems_.size() > most_) problems_.pop_back();
}

std::vector<Problem> ProblemList::list(std::uint64_t after) const {
  const std::lock_guard lock(mutex_);
  std::vector<Problem> out;
  for (const Problem& problem : problems_)
    if (problem.id > after) out.push_back(problem);
  return out;
}

std::uint64_t ProblemList::last_id() const {
  const std::lock_guard lock(mutex_);
  return last_id_;
}

}  // namespace millrace
