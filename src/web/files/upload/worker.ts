// The upload worker of the file pages: the module, the files and one connection that all uploads share.
import { Engine } from './engine';
import { FileBytes } from './file_bytes';
import type { FromWorker, ToWorker } from './messages';
import { Line } from './line';
import { loadCompress } from './zstd';

const scope = self as unknown as { postMessage(message: FromWorker): void; onmessage: ((event: MessageEvent<ToWorker>) => void) | null };

const kProgressMs = 100;
const kNetwork = 9; // Code::kNetwork
const kBusy = 14;
const kAttempts = 6; // of a connection that was lost
const kPauseMs = 500; // before the first of them; twice as long before each further one

interface Running {
  file: FileBytes;
  bytes: number;
  mtimeMs: number;
  path: string;
  replace: boolean;
  open: boolean; // on the connection that stands
  wire: number; // sent for it on this connection
  before: number; // and on those before
  told: number; // when the page was told of it last
}

class Uploads {
  private readonly running = new Map<number, Running>();
  private line: Line | null = null;
  private leaving = false;
  private attempts = 0;
  private waiting = 0; // timer of the next attempt
  private turning = false;
  private readonly turns = new MessageChannel(); // unlike a timer's, its messages come without a pause

  constructor(
    private readonly engine: Engine,
    private readonly address: string,
  ) {
    this.turns.port1.onmessage = () => this.turn();
  }

  start(id: number, file: File, path: string, replace: boolean): void {
    this.running.set(id, { file: new FileBytes(file), bytes: file.size, mtimeMs: file.lastModified, path, replace, open: false, wire: 0, before: 0, told: 0 });
    this.advance();
  }

  stop(id: number, keep: boolean): void {
    const upload = this.running.get(id);
    this.running.delete(id);
    if (upload?.open === true && keep) this.engine.pause(id);
    else if (upload?.open === true) this.engine.cancel(id);
    this.advance();
  }

  read(id: number, offset: number, into: Uint8Array): boolean {
    return this.running.get(id)?.file.read(offset, into) ?? false;
  }

  progress(id: number, done: number, wire: number): void {
    const upload = this.running.get(id);
    if (upload === undefined) return;
    upload.wire = wire;
    const now = performance.now();
    if (now - upload.told < kProgressMs) return;
    upload.told = now;
    scope.postMessage({ kind: 'progress', id, done, wire: upload.before + wire });
  }

  ended(id: number, code: number, sentence: string, wire: number): void {
    const upload = this.running.get(id);
    if (upload === undefined) return;
    upload.open = false;
    // The connection is lost, or the server goes away: it is begun again on the next one, where the server goes on with what it has.
    if ((code === kNetwork && this.line?.stood !== false) || (code === kBusy && this.leaving)) {
      upload.before += wire;
      upload.wire = 0;
      return;
    }
    if (code === 0) this.attempts = 0;
    this.running.delete(id);
    scope.postMessage({ kind: 'ended', id, code, sentence, wire: upload.before + wire });
  }

  leave(): void {
    this.leaving = true;
  }

  /** The module has failed: an assertion, or no memory. */
  break(): void {
    this.line?.drop();
    this.line = null;
    this.running.clear();
    scope.postMessage({ kind: 'unusable' });
  }

  /** Does what can be done now: a connection, uploads that wait for one, output, work. */
  private advance(): void {
    if (this.running.size === 0 || this.waiting !== 0) {
      this.schedule();
      return;
    }
    if (this.leaving && ![...this.running.values()].some((upload) => upload.open)) this.lose();
    if (this.line === null) {
      this.connect();
      return;
    }
    if (this.line.stood && !this.leaving) {
      for (const [id, upload] of this.running) {
        if (upload.open) continue;
        upload.open = true;
        this.engine.upload(id, upload.path, upload.bytes, upload.mtimeMs, upload.replace);
      }
    }
    this.schedule();
  }

  private connect(): void {
    this.leaving = false;
    this.engine.open();
    const line = new Line(this.address, {
      opened: (rttSeconds) => {
        this.engine.link(rttSeconds, 0);
        this.advance();
      },
      received: (bytes) => {
        if (this.engine.input(bytes)) {
          this.advance();
        } else {
          this.send();
          this.line?.drop();
          this.lost();
        }
      },
      writable: () => this.schedule(),
      measured: (rttSeconds, bytesPerSecond) => this.engine.link(rttSeconds, bytesPerSecond),
      closed: () => this.lost(),
    });
    this.line = line;
  }

  /** Gives the connection up; what was open on it waits. */
  private lose(): void {
    this.engine.close();
    this.line?.drop();
    this.line = null;
    this.leaving = false;
  }

  private lost(): void {
    const stood = this.line?.stood === true;
    const everStood = stood || this.attempts > 0;
    if (this.line?.lasted() === true) this.attempts = 0;
    this.lose();
    if (this.running.size === 0) {
      this.attempts = 0;
      return;
    }
    if (!everStood) {
      const ids = [...this.running.keys()];
      this.running.clear();
      scope.postMessage({ kind: 'unreachable', ids });
      return;
    }
    this.attempts += 1;
    if (this.attempts > kAttempts) {
      this.attempts = 0;
      for (const [id, upload] of this.running) scope.postMessage({ kind: 'ended', id, code: kNetwork, sentence: 'The connection was lost.', wire: upload.before });
      this.running.clear();
      return;
    }
    this.waiting = self.setTimeout(
      () => {
        this.waiting = 0;
        this.advance();
      },
      kPauseMs * 2 ** (this.attempts - 1),
    );
  }

  private send(): void {
    while (this.line?.writable() === true) {
      const bytes = this.engine.output();
      if (bytes === null) return;
      this.line.send(bytes);
    }
  }

  private schedule(): void {
    if (this.turning) return;
    this.turning = true;
    this.turns.port2.postMessage(null);
  }

  /** One job, and what it gave to send. */
  private turn(): void {
    this.turning = false;
    const worked = this.engine.turn();
    this.send();
    if (worked) this.schedule();
  }
}

let uploads: Uploads | null = null;
const early: ToWorker[] = []; // came before the module was loaded

function take(message: ToWorker): void {
  if (uploads === null) early.push(message);
  else if (message.kind === 'start') uploads.start(message.id, message.file, message.path, message.replace);
  else if (message.kind === 'stop') uploads.stop(message.id, message.keep);
}

async function bytesOf(address: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} cannot be had`);
  return new Uint8Array(await response.arrayBuffer());
}

async function load(module: string, zstd: string, connect: string): Promise<void> {
  const [code, compress] = await Promise.all([bytesOf(module), bytesOf(zstd).then(loadCompress).catch(() => null)]);
  const engine = await Engine.load(code, compress, {
    read: (id, offset, into) => uploads?.read(id, offset, into) ?? false,
    progress: (id, done, wire) => uploads?.progress(id, done, wire),
    ended: (id, code, sentence, wire) => uploads?.ended(id, code, sentence, wire),
    leaving: () => uploads?.leave(),
  });
  uploads = new Uploads(engine, connect);
  for (const message of early.splice(0)) take(message);
}

scope.onmessage = (event) => {
  const message = event.data;
  if (message.kind !== 'load') take(message);
  else load(message.module, message.zstd, message.connect).catch(() => scope.postMessage({ kind: 'unusable' }));
};
self.addEventListener('error', (event) => {
  event.preventDefault();
  uploads?.break();
});
