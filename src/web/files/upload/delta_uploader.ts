// Uploads what changed: the protocol of the command's client, spoken by the module in a worker over a WebSocket. Where that
// cannot be, whole files go by PUT.
import { ApiError } from '../../shared/api';
import type { FromWorker, ToWorker } from './messages';
import type { Upload, Uploader, UploadEvents, UploadTask } from './uploader';
import { putUploader } from './xhr_uploader';

/** Addresses that the build puts in; empty: built without the module. */
declare const UPLOAD_WORKER: string;
declare const UPLOAD_MODULE: string;
declare const UPLOAD_ZSTD: string;

const kAgainMs = 30_000; // a server that could not be reached is tried again for what is uploaded later

/** What the HTTP API would answer to an error of the protocol (base/error.h). */
function errorOf(code: number, sentence: string, replace: boolean): ApiError {
  const statuses: Record<number, number> = { 2: 400, 3: 404, 4: replace ? 409 : 412, 5: 401, 6: 403, 7: 507, 9: 0, 12: 413, 13: 409, 14: 503, 17: 503 };
  return new ApiError(statuses[code] ?? 500, 'E_UPLOAD', sentence);
}

class DeltaUpload implements Upload {
  private instead: Upload | null = null; // by PUT
  private running = false;
  private wireBefore = 0; // sent before it was paused
  private wire = 0;
  private farthest = 0;

  constructor(
    private readonly id: number,
    private readonly task: UploadTask,
    private readonly events: UploadEvents,
  ) {
    this.resume();
  }

  pause(): void {
    if (this.instead !== null) this.instead.pause();
    else this.stop(true);
  }

  resume(): void {
    if (this.instead !== null) {
      this.instead.resume();
      return;
    }
    if (!worker.usable()) {
      this.fallBack();
      return;
    }
    this.running = true;
    this.wireBefore += this.wire;
    this.wire = 0;
    worker.start(this.id, this, this.task);
  }

  cancel(): void {
    if (this.instead !== null) this.instead.cancel();
    else this.stop(false);
  }

  private stop(keep: boolean): void {
    if (this.running) worker.stop(this.id, keep);
    this.running = false;
  }

  fallBack(): void {
    this.running = false;
    const before = this.wireBefore + this.wire;
    this.instead = putUploader.start(this.task, {
      ...this.events,
      progress: (done, wire) => this.events.progress(done, before + wire),
      done: (wire) => this.events.done(before + wire),
    });
  }

  progress(done: number, wire: number): void {
    this.farthest = Math.max(this.farthest, done); // it may have begun again on another connection
    this.wire = wire;
    this.events.progress(Math.min(this.farthest, this.task.file.size), this.wireBefore + wire);
  }

  ended(code: number, sentence: string, wire: number): void {
    this.running = false;
    if (code === 0) this.events.done(this.wireBefore + wire);
    else this.events.failed(errorOf(code, sentence, this.task.replace));
  }
}

/** The page's one worker; made when the first upload begins. */
class UploadWorker {
  private readonly uploads = new Map<number, DeltaUpload>();
  private worker: Worker | null = null;
  private broken = UPLOAD_MODULE === '' || typeof WebAssembly !== 'object' || typeof Worker !== 'function' || typeof WebSocket !== 'function';
  private unreachableAt = -Infinity;

  usable(): boolean {
    return !this.broken && performance.now() - this.unreachableAt > kAgainMs;
  }

  start(id: number, upload: DeltaUpload, task: UploadTask): void {
    this.uploads.set(id, upload);
    this.tell({ kind: 'start', id, file: task.file, path: task.path, replace: task.replace });
  }

  stop(id: number, keep: boolean): void {
    this.uploads.delete(id);
    this.tell({ kind: 'stop', id, keep });
  }

  private tell(message: ToWorker): void {
    if (this.worker === null) {
      this.worker = new Worker(UPLOAD_WORKER, { type: 'module' });
      this.worker.onmessage = (event: MessageEvent<FromWorker>) => this.take(event.data);
      this.worker.onerror = () => this.abandon();
      const connect = new URL('/api/v1/connect', location.href);
      connect.protocol = connect.protocol === 'https:' ? 'wss:' : 'ws:';
      this.worker.postMessage({ kind: 'load', module: UPLOAD_MODULE, zstd: UPLOAD_ZSTD, connect: connect.href } satisfies ToWorker);
    }
    this.worker.postMessage(message);
  }

  private take(message: FromWorker): void {
    if (message.kind === 'unusable') {
      this.abandon();
    } else if (message.kind === 'unreachable') {
      this.unreachableAt = performance.now();
      for (const id of message.ids) this.remove(id)?.fallBack();
    } else if (message.kind === 'progress') {
      this.uploads.get(message.id)?.progress(message.done, message.wire);
    } else {
      this.remove(message.id)?.ended(message.code, message.sentence, message.wire);
    }
  }

  private remove(id: number): DeltaUpload | undefined {
    const upload = this.uploads.get(id);
    this.uploads.delete(id);
    return upload;
  }

  private abandon(): void {
    this.broken = true;
    this.worker?.terminate();
    this.worker = null;
    const left = [...this.uploads.values()];
    this.uploads.clear();
    for (const upload of left) upload.fallBack();
  }
}

const worker = new UploadWorker();
let nextId = 1;

export const deltaUploader: Uploader = {
  resumes: true,
  start: (task, events) => new DeltaUpload(nextId++, task, events),
};
