// A download that puts itself right: when what was built has a wrong root, a match was false or the basis changed
// meanwhile. Another attempt takes what was built as its basis, without the ladder, so that only the wrong chunks
// travel; a third one fetches the whole file.
#pragma once

#include "sync/download_client.h"

namespace millrace {

/// Opens a stream for the conversation that the function makes: Mux::open, and whoever must know the stream's id.
using OpenStream =
    std::function<Result<std::uint32_t>(const std::function<std::shared_ptr<Conversation>(StreamPort&)>&)>;

/// `open` is called once for each attempt, now and later on the loop, until `done` is called. `done` is called once, on
/// the loop, unless this fails: then the first stream could not be opened.
Status begin_download(OpenStream open, DownloadTarget target, const TransferOptions& options, const Toolbox& toolbox,
                      TransferDone done, TransferObserver observer);

}  // namespace millrace
