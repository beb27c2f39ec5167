// What all requests by HTTP work with.
#pragma once

#include <memory>

#include "base/memory_budget.h"
#include "server/accounts.h"
#include "server/live_server.h"
#include "server/watched_request.h"
#include "store/store.h"

namespace millrace {

struct ApiContext {
  std::shared_ptr<Store> store;  ///< heeds what a token allows
  std::function<Usage(const std::string& account)> usage;
  HasherFactory hasher;
  std::shared_ptr<Accounts> accounts;
  std::shared_ptr<MemoryBudget> budget;
  Journal journal;
  LiveServer& server;
  std::function<Status()> may_begin_session;  ///< errors: kBusy. Any thread
  std::string host;                           ///< where it listens
  bool is_encrypted = false;
  std::atomic<std::uint64_t>& not_authenticated;  ///< attempts, counted
  std::atomic<std::uint64_t>& authenticated;
  std::atomic<std::uint64_t>& too_slow;  ///< connections, counted
};

}  // namespace millrace
