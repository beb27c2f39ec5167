// The WebAssembly module (src/web/engine): loading it, and its calls by their types. It is handed bytes and hands out bytes;
// the worker has the socket. No call is made from within one of the host's functions.
import type { Compress } from './zstd';

/** What the module needs of whoever uses it. */
export interface EngineHost {
  /** Fills `into` from `offset` of that upload's file; false: it cannot be read any more. */
  read(upload: number, offset: number, into: Uint8Array): boolean;
  /** `done` bytes of the file are dealt with, `wire` bytes were handed out for it. */
  progress(upload: number, done: number, wire: number): void;
  /** `code`: 0 when it is stored, else one of the protocol's errors. */
  ended(upload: number, code: number, sentence: string, wire: number): void;
  /** The server takes no new uploads on this connection. */
  leaving(): void;
}

interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  open(): void;
  close(): void;
  room(bytes: number): number;
  input(): number;
  output(): number;
  output_at(): number;
  upload(id: number, bytes: number, mtimeMs: number, replace: number): void;
  cancel(id: number): void;
  pause(id: number): void;
  turn(): number;
  link(rttSeconds: number, bytesPerSecond: number): void;
  measure_hashing(rounds: number): void;
}

export class Engine {
  private constructor(private readonly module: Exports) {}

  /** Errors: the module does not compile here (a browser without vectors in WebAssembly). */
  static async load(code: BufferSource, compress: Compress | null, host: EngineHost): Promise<Engine> {
    let memory: WebAssembly.Memory;
    const bytes = (at: number, length: number) => new Uint8Array(memory.buffer as ArrayBuffer, at >>> 0, length >>> 0);
    const imports = {
      millrace: {
        read: (upload: number, offset: number, at: number, length: number): number => Number(host.read(upload, offset, bytes(at, length))),
        compress: (raw: number, length: number, prefix: number, prefixLength: number, level: number, at: number, room: number): number => {
          const coded = compress === null ? null : compress(bytes(raw, length), bytes(prefix, prefixLength), level);
          if (coded === null || coded.length > room >>> 0) return room;
          bytes(at, coded.length).set(coded);
          return coded.length;
        },
        random: (at: number, length: number): void => {
          crypto.getRandomValues(bytes(at, length));
        },
        progress: (upload: number, done: number, wire: number): void => host.progress(upload, done, wire),
        ended: (upload: number, code: number, at: number, length: number, wire: number): void => host.ended(upload, code, new TextDecoder().decode(bytes(at, length)), wire),
        leaving: (): void => host.leaving(),
      },
      env: { emscripten_notify_memory_growth: (): void => undefined },
      wasi_snapshot_preview1: {
        proc_exit: (status: number): never => {
          throw new Error(`the module ended with ${status}`);
        },
      },
    };
    const { instance } = await WebAssembly.instantiate(code, imports);
    const module = instance.exports as unknown as Exports;
    memory = module.memory;
    module._initialize();
    return new Engine(module);
  }

  /** A new connection; closes the one before. */
  open(): void {
    this.module.open();
  }

  /** All uploads end within. */
  close(): void {
    this.module.close();
  }

  private put(bytes: Uint8Array): void {
    const at = this.module.room(bytes.length) >>> 0;
    new Uint8Array(this.module.memory.buffer, at, bytes.length).set(bytes);
  }

  /** Bytes from the server. False: the connection is broken; send the output that there is, then close. */
  input(bytes: Uint8Array): boolean {
    this.put(bytes);
    return this.module.input() !== 0;
  }

  /** What is to be sent now, or null; valid until the next call. */
  output(): Uint8Array<ArrayBuffer> | null {
    const length = this.module.output() >>> 0;
    return length === 0 ? null : new Uint8Array(this.module.memory.buffer as ArrayBuffer, this.module.output_at() >>> 0, length);
  }

  upload(id: number, path: string, bytes: number, mtimeMs: number, replace: boolean): void {
    this.put(new TextEncoder().encode(path));
    this.module.upload(id, bytes, mtimeMs, Number(replace));
  }

  /** The server drops what it has of it. */
  cancel(id: number): void {
    this.module.cancel(id);
  }

  /** The server keeps what it has for a later upload. */
  pause(id: number): void {
    this.module.pause(id);
  }

  /** Does a piece of work; false: there was none. */
  turn(): boolean {
    return this.module.turn() !== 0;
  }

  link(rttSeconds: number, bytesPerSecond: number): void {
    this.module.link(rttSeconds, bytesPerSecond);
  }

  measureHashing(mebibytes: number): void {
    this.module.measure_hashing(mebibytes);
  }
}
