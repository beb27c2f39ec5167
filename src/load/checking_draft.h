// A download that is compared with what it must be, piece by piece, and kept nowhere.
#pragma once

#include <memory>

#include "sync/download_client.h"

namespace millrace {

/// `expected` is what must arrive: content that differs fails with kIntegrity, and what arrived is read back from
/// there. Holds the chunk list only. `basis_chunks` as DownloadTarget::open_draft gives them.
std::unique_ptr<DownloadDraft> make_checking_draft(std::shared_ptr<const Source> expected,
                                                   std::shared_ptr<const ChunkList> basis_chunks);

}  // namespace millrace
