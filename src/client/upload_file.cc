#include "client/upload_file.h"

#include "base/path.h"
#include "sync/upload_client.h"

namespace millrace {

namespace {

enum class Attempt { kFirst, kSecond };

void start(CommandRun& run, const FileToUpload& file, const std::shared_ptr<LocalSource>& source,
           const TransferOptions& options, Attempt attempt, std::function<void()> over);

void try_again(CommandRun& run, const FileToUpload& file, const TransferOptions& options, std::function<void()> over) {
  auto source = file.open_again();
  if (source) return start(run, file, *source, options, Attempt::kSecond, std::move(over));
  run.report.failed(source.error().code == Code::kNotFound
                        ? Error{Code::kSourceChanged, "'" + printable(file.local) + "' vanished while it was read."}
                        : source.error(),
                    file.remote);
  over();
}

void on_done(CommandRun& run, const FileToUpload& file, const LocalSource& source, const TransferOptions& options,
             Attempt attempt, const Result<TransferResult>& result, const std::function<void()>& over) {
  // Torn content also shows as a root that does not fit.
  const bool torn = !result && (result.error().code == Code::kSourceChanged || result.error().code == Code::kIntegrity);
  if ((result || torn) && !source.unchanged()) {
    if (attempt == Attempt::kFirst) return try_again(run, file, options, over);
    run.report.failed({Code::kSourceChanged,
                       "'" + printable(file.local) + "' changed while it was read; try again when it is at rest."},
                      file.remote);
  } else if (result) {
    run.report.file_done(file.local, file.remote, *result, source.size());
  } else if (run.connection.try_later(result.error(),
                                      [&run, file, options, over] { try_again(run, file, options, over); })) {
    return;
  } else {
    run.report.failed(result.error(), file.remote);
  }
  over();
}

void start(CommandRun& run, const FileToUpload& file, const std::shared_ptr<LocalSource>& source,
           const TransferOptions& options, Attempt attempt, std::function<void()> over) {
  const auto done = [&run, file, source, options, attempt, over](const Result<TransferResult>& result) {
    on_done(run, file, *source, options, attempt, result, over);
  };
  const auto opened = run.connection.mux().open([&](StreamPort& port) {
    const auto prepared = attempt == Attempt::kFirst ? file.prepared : nullptr;
    return make_upload(port, {file.remote, source, source->attributes(), prepared}, options, run.toolbox, done,
                       [&run, number = file.number](const TransferProgress& now) { run.meter.update(number, now); });
  });
  if (opened) return;
  if (run.connection.try_later(opened.error(), [&run, file, options, over] { try_again(run, file, options, over); }))
    return;
  run.report.failed(opened.error(), file.remote);
  over();
}

}  // namespace

void upload_file(CommandRun& run, const FileToUpload& file, const std::shared_ptr<LocalSource>& source,
                 const TransferOptions& options, std::function<void()> over) {
  start(run, file, source, options, Attempt::kFirst, std::move(over));
}

void say_would_upload(CommandRun& run, const std::string& local, const std::string& remote, std::uint64_t bytes,
                      const Attributes& attributes, const wire::EntryMessage& there) {
  const Code error = there.error == 0 ? Code::kFailed : code_from_wire(there.error);
  if (there.error != 0 && error != Code::kNotFound)
    return run.report.failed({error, printable(there.sentence)}, remote);
  if (there.error == 0 && there.kind == static_cast<std::uint32_t>(EntryKind::kFolder)) {
    return run.report.failed({Code::kUsage, "'" + printable(remote) +
                                                "' is a folder on the server; end the address in '/' to put the file "
                                                "into it."},
                             remote);
  }
  std::string what = "new";
  if (there.error == 0) {
    what = is_alike(there, bytes, attributes) ? "has the same size, time and mode there"
                                              : "replaces " + std::to_string(there.version.bytes) + " bytes there";
  }
  run.report.would(remote, "upload " + printable(local) + " to " + printable(remote) + " (" + std::to_string(bytes) +
                               " bytes; " + what + ")");
}

bool is_alike(const wire::EntryMessage& there, std::uint64_t bytes, const Attributes& attributes) {
  return there.error == 0 && there.kind == static_cast<std::uint32_t>(EntryKind::kFile) &&
         there.version.bytes == bytes && there.version.attributes == attributes;
}

}  // namespace millrace
