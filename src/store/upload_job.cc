#include "store/upload_job.h"

#include <algorithm>

#include "codec/xxh3.h"

namespace millrace {

namespace {

constexpr Byte kJobMagic[8] = {'M', 'R', 'J', 'B', 1, 0, 0, 0};
constexpr std::size_t kFixedBytes = sizeof kJobMagic + 16 + 4 * 8 + 1 + 32;
constexpr std::size_t kJobTrailerBytes = 8;

}  // namespace

Buffer encode_upload_job(const UploadJob& job) {
  Buffer out(std::begin(kJobMagic), std::end(kJobMagic));
  append(out, job.upload_id);
  append_le(out, job.attempt);
  append_le(out, job.announced_bytes);
  append_le(out, static_cast<std::uint64_t>(job.created_ns));
  append_le(out, job.inode);
  out.push_back(static_cast<Byte>(job.expected.kind));
  append(out, job.expected.root.bytes);
  append(out, as_bytes(job.path));
  append_le(out, xxh3_64(out));
  return out;
}

Result<UploadJob> decode_upload_job(ByteView bytes) {
  const auto damaged = [] { return fail(Code::kIntegrity, "The description of a partial upload is damaged."); };
  if (bytes.size() < kFixedBytes + kJobTrailerBytes || bytes.size() > kMaxJobBytes) return damaged();
  if (!std::equal(std::begin(kJobMagic), std::end(kJobMagic), bytes.begin())) return damaged();
  const std::size_t end = bytes.size() - kJobTrailerBytes;
  if (load_le<std::uint64_t>(bytes.data() + end) != xxh3_64(bytes.first(end))) return damaged();
  UploadJob job;
  const Byte* from = bytes.data() + sizeof kJobMagic;
  const auto next = [&from] {
    from += 8;
    return load_le<std::uint64_t>(from - 8);
  };
  std::copy_n(from, job.upload_id.size(), job.upload_id.begin());
  from += job.upload_id.size();
  job.attempt = next();
  job.announced_bytes = next();
  job.created_ns = static_cast<std::int64_t>(next());
  job.inode = next();
  if (*from > static_cast<Byte>(Expected::Kind::kRoot)) return damaged();
  job.expected.kind = static_cast<Expected::Kind>(*from++);
  std::copy_n(from, job.expected.root.bytes.size(), job.expected.root.bytes.begin());
  job.path = std::string(as_text(bytes.first(end).subspan(kFixedBytes)));
  if (job.path.empty()) return damaged();
  return job;
}

}  // namespace millrace
