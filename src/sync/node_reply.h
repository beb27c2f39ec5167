// Tree nodes as the holder sends them.
#pragma once

#include "delta/tree_exchange.h"
#include "sync/stream.h"

namespace millrace {

inline void send_nodes(StreamPort& port, NodesAnswer nodes) {
  wire::Nodes message;
  message.level = nodes.level;
  message.count = nodes.count;
  message.bulk_bytes = nodes.bulk.size();
  port.send(message);
  if (!nodes.bulk.empty()) port.send_data(SharedBytes::of(std::move(nodes.bulk)));
}

}  // namespace millrace
