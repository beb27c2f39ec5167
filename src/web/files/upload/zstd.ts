// Compression of literals by zstd, compiled to WebAssembly by the package @bokuweb/zstd-wasm. Its frames refer to the prefix
// as to a dictionary of raw content, which is what the server's decoder takes.
import { compress, compressUsingDict, createCCtx, init } from '@bokuweb/zstd-wasm';

/** One frame of `raw`, against `prefix` where that is not empty; null: it failed. */
export type Compress = (raw: Uint8Array, prefix: Uint8Array, level: number) => Uint8Array | null;

/** Null: it does not work here, and literals go as they are. */
export async function loadCompress(code: Uint8Array<ArrayBuffer>): Promise<Compress | null> {
  // The package reports a module that does not compile to nobody, so it is asked for before.
  if (!WebAssembly.validate(code)) return null;
  await (init as (code: Uint8Array) => Promise<void>)(code); // it takes bytes, which its types do not say
  const context = createCCtx();
  return (raw, prefix, level) => {
    try {
      return prefix.length === 0 ? compress(raw, level) : compressUsingDict(context, raw, prefix, level);
    } catch {
      return null;
    }
  };
}
