// What must hold of a store whenever nobody is using it.
#include "codec/sha256.h"
#include "simulation/paths_and_contents.h"
#include "simulation/simulated_machine.h"
#include "support/chunks.h"

namespace millrace::simulation {

namespace {

constexpr std::int64_t kLongerThanPartials = 25 * 3600 * SimulatedClock::kSecond;

/// What stands at a path, read through the store and straight from the disk.
FileModel::ContentId look_at(Simulation& simulation, SimulatedVolume& volume, LocalStore& store,
                             const std::string& path) {
  const auto since = simulation.model.now();
  const auto version = store.lookup({}, path);
  if (!version) simulation.fail("lookup of " + path + ": " + version.error().sentence);
  const auto on_disk = volume.find("files/" + path);
  FileModel::ContentId id = FileModel::kAbsent;
  if (*version) {
    id = simulation.model.find((*version)->token.root);
    if (id == FileModel::kUnknown)
      simulation.fail(path + " has a content that nobody sent (" + std::to_string((*version)->bytes) + " bytes)");
    if (!on_disk || (*on_disk)->content != simulation.model.content(id).bytes)
      simulation.fail(path + " is not on the disk what the catalogue says");
    const auto file = store.open({}, path);
    if (!file) simulation.fail("open of " + path + ": " + file.error().sentence);
    Buffer bytes((*file)->size());
    if (const auto read = (*file)->read_at(0, bytes); !read)
      simulation.fail("read of " + path + ": " + read.error().sentence);
    if (bytes != simulation.model.content(id).bytes) simulation.fail(path + " reads as something else");
    if (const auto chunks = (*file)->chunks(); !chunks)
      simulation.fail("chunks of " + path + ": " + chunks.error().sentence);
  } else if (on_disk) {
    simulation.fail(path + " is on the disk but not in the store");
  }
  if (!simulation.model.found(path, id, since))
    simulation.fail(path + " has content " + std::to_string(id) + ", which cannot be:\n" +
                    simulation.model.describe(path));
  return id;
}

void check_listing(Simulation& simulation, LocalStore& store,
                   const std::map<std::string, FileModel::ContentId>& files) {
  std::map<std::string, FileModel::ContentId> listed;
  for (std::string cursor;;) {
    const auto page = store.list({}, "", Recursive::kYes, cursor, 3);
    if (!page) simulation.fail("listing: " + page.error().sentence);
    for (const Entry& entry : page->entries)
      // One that changed a moment ago has no root yet that the listing trusts.
      if (entry.kind == EntryKind::kFile)
        listed[entry.path] = entry.version.token.root.is_zero() && files.contains(entry.path)
                                 ? files.at(entry.path)
                                 : simulation.model.find(entry.version.token.root);
    cursor = page->next_cursor;
    if (cursor.empty()) break;
  }
  if (listed != files) simulation.fail("the listing differs from the files");
}

void check_changes(Simulation& simulation, LocalStore& store,
                   const std::map<std::string, FileModel::ContentId>& files) {
  std::map<std::string, FileModel::ContentId> told;
  std::uint64_t last = 0;
  for (;;) {
    const auto changes = store.changes({}, last, 4);
    if (!changes) simulation.fail("changes: " + changes.error().sentence);
    if (changes->empty()) break;
    for (const Change& change : *changes) {
      if (change.sequence <= last) simulation.fail("the changes are not in their order, or two have one sequence");
      last = change.sequence;
      if (change.version) told[change.path] = simulation.model.find(change.version->token.root);
    }
  }
  if (told != files) simulation.fail("the changes differ from the files");
}

}  // namespace

void check_store(Simulation& simulation, SimulatedVolume& volume, LocalStore& store) {
  std::map<std::string, FileModel::ContentId> files;
  for (const std::string& path : simulation.model.paths()) {
    const auto id = look_at(simulation, volume, store, path);
    if (id != FileModel::kAbsent) files[path] = id;
    simulation.trace.count(id);
  }
  for (const std::string& path : volume.files_below("files"))
    if (!files.contains(path.substr(6))) simulation.fail("nobody wrote " + path);
  check_listing(simulation, store, files);
  check_changes(simulation, store, files);
}

void check_end(Simulation& simulation, SimulatedVolume& volume, LocalStore& store) {
  check_store(simulation, volume, store);
  if (const auto flushed = store.flush(); !flushed) simulation.fail("flush: " + flushed.error().sentence);
  simulation.clock.pass(kLongerThanPartials);
  (void)store.sweep_partials();
  while (store.sweep_chunk_lists() < std::chrono::hours(1)) {
  }
  for (const std::string& path : volume.files_below("staging")) simulation.fail(path + " is left for ever");
  for (const std::string& path : simulation.model.paths()) {
    const auto content = new_content(simulation, FileModel::kAbsent);
    const auto& bytes = simulation.model.content(content).bytes;
    const ChunkList chunks = test::chunks_of(bytes);
    const auto write = simulation.model.begin_write(path, content);
    DraftRequest request;
    request.path = path;
    const auto draft = store.begin({}, request);
    if (!draft) simulation.fail("a new version of " + path + " cannot begin: " + draft.error().sentence);
    if (const auto added = (*draft)->add(chunks, bytes); !added) simulation.fail(added.error().sentence);
    std::optional<Result<Version>> result;
    (*draft)->commit(simulation.model.content(content).root, bytes.size(), {},
                     [&](Result<Version> r) { result = std::move(r); });
    while (store.commit_next()) {
    }
    if (!result) simulation.fail("a new version of " + path + " is never committed");
    if (!*result) simulation.fail("a new version of " + path + " is refused: " + result->error().sentence);
    simulation.model.acknowledged(write);
  }
  if (const auto flushed = store.flush(); !flushed) simulation.fail("flush: " + flushed.error().sentence);
  check_store(simulation, volume, store);
  for (const std::string& path : volume.files_below("staging")) simulation.fail(path + " is left by a commit");
}

}  // namespace millrace::simulation
