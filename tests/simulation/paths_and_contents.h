// What clients write, and where: few paths, so that they meet, and small files, with now and then a larger one.
#pragma once

#include "simulation/simulation.h"

namespace millrace::simulation {

/// A file's path. A folder's is never a file's.
std::string random_path(SeededRandom& random);
std::string random_folder(SeededRandom& random);
/// All paths below a folder of random_folder().
std::vector<std::string> paths_below(const std::string& folder);
/// Bytes that nobody sent before, but for very short ones; half of them resemble `like`, if that is one.
FileModel::ContentId new_content(Simulation& simulation, FileModel::ContentId like);
/// The root of a whole content.
Digest root_of(ByteView content);

}  // namespace millrace::simulation
