// The file that says what a partial upload is. What a disk damaged is refused; what is read is written the same again.
#include "codec/xxh3.h"
#include "fuzz/fuzz.h"
#include "store/upload_job.h"
#include "support/sample_messages.h"

using namespace millrace;

namespace {

void check(ByteView file) {
  const auto job = decode_upload_job(file);
  if (!job) return fuzz::require(job.error().code == Code::kIntegrity, "a damaged file is an integrity error");
  const Buffer again = encode_upload_job(*job);
  fuzz::require(std::equal(again.begin(), again.end(), file.begin(), file.end()), "what is read is written the same");
}

}  // namespace

void fuzz::run(ByteView bytes) {
  check(bytes);
  // With a checksum that fits, so that the fields behind it are reached.
  Buffer sealed(bytes.begin(), bytes.end());
  append_le(sealed, xxh3_64(sealed));
  check(sealed);
}

void fuzz::seeds(const AddSeed& add) {
  UploadJob job;
  job.path = "account/folder/file.bin";
  job.expected = {Expected::Kind::kRoot, test::sample_digest(3)};
  job.attempt = 4;
  job.announced_bytes = 1u << 30;
  job.created_ns = 1'700'000'000'000'000'000;
  job.inode = 77;
  const Buffer file = encode_upload_job(job);
  add("file", file);
  add("without-checksum", Buffer(file.begin(), file.end() - 8));
}
