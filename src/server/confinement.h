// Takes from this process what it does not need of the file system: whatever a client makes the server do, it writes
// only in its data folder and reads beside that only what programs need to run. By Landlock, so without privileges.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace millrace {

struct Confinement {
  std::vector<std::string> writable;  ///< folders, with all that is in them; symlinks are resolved
  std::vector<std::string> readable;  ///< further files and folders; such that do not exist are left out
};

enum class Confined { kYes, kNotSupported };

/// For ever, and for all threads that are started afterwards: call it before there are any. kNotSupported: this kernel
/// has no Landlock, or an older one that cannot rename between folders (before 5.19). Errors: the system's, for a
/// writable folder that is not there too.
Result<Confined> confine(const Confinement& wanted);

/// What `millraced` needs: its data folder, also where files/, staging/, chunks/ or trash/ are symlinks to elsewhere;
/// the system's libraries and configuration; and the files that its options name.
Confinement confinement_of(const std::string& data, const std::vector<std::string>& named_files);

}  // namespace millrace
