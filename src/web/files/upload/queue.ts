// The uploads of this page: a few at once, the others wait. What is done is only counted; what failed stays, by name and with
// the reason. Components see a snapshot that is renewed a few times a second, however many files there are.
import { type ApiError, loggedOut } from '../../shared/api';
import { Store } from '../../shared/store';
import { escapePath, inFolder } from '../folder';
import { deltaUploader } from './delta_uploader';
import type { Upload, Uploader } from './uploader';

export type ItemState = 'waiting' | 'running' | 'paused' | 'failed' | 'exists';

export interface Item {
  id: number;
  file: File;
  path: string;
  state: ItemState;
  sent: number; // of the file, by what is done
  wire: number; // bytes that went over the wire for it
  attempts: number;
  replace: boolean;
  why: string;
}

export interface Snapshot {
  shown: Item[];
  hidden: number; // items that there is no room to show
  files: number; // of this batch, done ones too
  done: number;
  failed: number;
  exists: number;
  waiting: number;
  running: number;
  paused: number;
  bytes: number;
  sentBytes: number; // of the files, by what is done
  wireBytes: number;
  bytesPerSecond: number;
  allPaused: boolean;
}

const kAtOnce = 3;
const kAttempts = 4; // the first and three more
const kRetryMs = 1000;
const kShown = 200;
const kSnapshotMs = 200;
const kRateMs = 5000;
const kOrder: Record<ItemState, number> = { running: 0, failed: 1, exists: 2, paused: 3, waiting: 4 };
const kNothing: Snapshot = { shown: [], hidden: 0, files: 0, done: 0, failed: 0, exists: 0, waiting: 0, running: 0, paused: 0, bytes: 0, sentBytes: 0, wireBytes: 0, bytesPerSecond: 0, allPaused: false };

/** Worth trying again by itself: nothing came back, or the server is busy or about to restart. */
function passes(error: ApiError): boolean {
  return error.status === 0 || error.status === 429 || error.status === 502 || error.status === 503 || error.status === 504;
}

/** Names on Windows may have halves of characters, which no address can hold. */
function isUnicode(path: string): boolean {
  return !/\p{Cs}/u.test(path);
}

export class UploadQueue {
  readonly snapshot = new Store<Snapshot>(kNothing);
  onDone: (item: Item) => void = () => undefined;
  private readonly items = new Map<number, Item>(); // in the order in which they came; done ones leave
  private readonly uploads = new Map<number, Upload>();
  private nextId = 1;
  private done = 0;
  private doneBytes = 0;
  private doneWire = 0;
  private held = false;
  private timer = 0;
  private samples: { at: number; sent: number }[] = [];

  constructor(private readonly uploader: Uploader) {}

  get resumes(): boolean {
    return this.uploader.resumes;
  }

  add(folderPath: string, found: { file: File; path: string }[]): void {
    if (this.items.size === 0) this.forget();
    if (!this.busy()) this.held = false;
    for (const { file, path } of found) {
      if (!isUnicode(path)) {
        this.addUnreadable(folderPath, path, 'Its name is no valid Unicode.');
        continue;
      }
      const id = this.nextId++;
      this.items.set(id, { id, file, path: inFolder(folderPath, path), state: 'waiting', sent: 0, wire: 0, attempts: 0, replace: false, why: '' });
    }
    this.pump();
  }

  /** Something that could not even be read stands in the list like what could not be sent. */
  addUnreadable(folderPath: string, path: string, why: string): void {
    const id = this.nextId++;
    this.items.set(id, { id, file: new File([], path), path: inFolder(folderPath, path), state: 'failed', sent: 0, wire: 0, attempts: kAttempts, replace: false, why });
    this.changed();
  }

  pause(item: Item): void {
    if (item.state === 'running') this.uploads.get(item.id)?.pause();
    if (item.state === 'running' || item.state === 'waiting') item.state = 'paused';
    this.pump();
  }

  resume(item: Item): void {
    if (item.state === 'paused') item.state = 'waiting';
    this.pump();
  }

  pauseAll(): void {
    this.held = true;
    for (const item of this.items.values()) if (item.state === 'running') this.pause(item);
    this.changed();
  }

  resumeAll(): void {
    this.held = false;
    for (const item of this.items.values()) if (item.state === 'paused') item.state = 'waiting';
    this.pump();
  }

  retry(item: Item): void {
    if (item.state !== 'failed') return;
    Object.assign(item, { state: 'waiting', attempts: 0, why: '' });
    this.pump();
  }

  retryAll(): void {
    for (const item of this.items.values()) this.retry(item);
  }

  replace(item: Item): void {
    if (item.state !== 'exists') return;
    Object.assign(item, { state: 'waiting', replace: true, why: '' });
    this.pump();
  }

  replaceAll(): void {
    for (const item of this.items.values()) this.replace(item);
  }

  cancel(item: Item): void {
    this.uploads.get(item.id)?.cancel();
    this.uploads.delete(item.id);
    this.items.delete(item.id);
    this.pump();
  }

  cancelAll(): void {
    for (const item of [...this.items.values()]) {
      this.uploads.get(item.id)?.cancel();
      this.items.delete(item.id);
    }
    this.uploads.clear();
    this.changed();
  }

  /** Whether leaving the page would lose something. */
  busy(): boolean {
    return [...this.items.values()].some((item) => item.state === 'running' || item.state === 'waiting' || item.state === 'paused');
  }

  /** Clears what was counted; the panel closes when nothing is left. */
  forget(): void {
    this.done = 0;
    this.doneBytes = 0;
    this.doneWire = 0;
    this.held = false;
    this.samples = [];
    this.changed();
  }

  private pump(): void {
    let running = 0;
    for (const item of this.items.values()) running += Number(item.state === 'running');
    if (!this.held) {
      for (const item of this.items.values()) {
        if (running >= kAtOnce) break;
        if (item.state !== 'waiting') continue;
        this.start(item);
        running += 1;
      }
    }
    this.changed();
  }

  private start(item: Item): void {
    item.state = 'running';
    const paused = this.uploads.get(item.id);
    if (paused !== undefined) {
      paused.resume();
      return;
    }
    item.attempts += 1;
    const before = item.wire; // by attempts that failed
    const upload = this.uploader.start(
      { file: item.file, path: item.path, url: escapePath(item.path), replace: item.replace },
      {
        progress: (sent, wire) => {
          item.sent = sent;
          item.wire = before + wire;
          this.changed();
        },
        done: (wire) => {
          this.doneWire += before + wire;
          this.uploads.delete(item.id);
          this.items.delete(item.id);
          this.done += 1;
          this.doneBytes += item.file.size;
          this.onDone(item);
          this.pump();
        },
        failed: (error) => this.fail(item, error),
      },
    );
    this.uploads.set(item.id, upload);
  }

  private fail(item: Item, error: ApiError): void {
    this.uploads.delete(item.id);
    item.sent = 0;
    if (error.status === 401) loggedOut();
    if (error.status === 412) {
      Object.assign(item, { state: 'exists', why: 'A file of this name is there already.' });
    } else {
      Object.assign(item, { state: 'failed', why: error.message });
      if (passes(error) && item.attempts < kAttempts) {
        setTimeout(() => {
          if (item.state !== 'failed' || !this.items.has(item.id)) return;
          item.state = 'waiting';
          this.pump();
        }, kRetryMs * 2 ** item.attempts);
      }
    }
    this.pump();
  }

  private changed(): void {
    if (this.timer !== 0) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.snapshot.set(this.look());
    }, kSnapshotMs);
  }

  private look(): Snapshot {
    const counts: Record<ItemState, number> = { waiting: 0, running: 0, paused: 0, failed: 0, exists: 0 };
    let bytes = this.doneBytes;
    let sentBytes = this.doneBytes;
    let wireBytes = this.doneWire;
    const shown: Item[][] = [[], [], [], [], []];
    for (const item of this.items.values()) {
      counts[item.state] += 1;
      bytes += item.file.size;
      sentBytes += item.sent;
      wireBytes += item.wire;
      const group = shown[kOrder[item.state]];
      if (group !== undefined && group.length < kShown) group.push(item);
    }
    const at = performance.now();
    this.samples = [...this.samples.filter((sample) => at - sample.at < kRateMs), { at, sent: sentBytes }];
    const first = this.samples[0];
    const seconds = first === undefined ? 0 : (at - first.at) / 1000;
    const rows = shown.flat().slice(0, kShown);
    return {
      shown: rows.map((item) => ({ ...item })),
      hidden: this.items.size - rows.length,
      files: this.items.size + this.done,
      done: this.done,
      ...counts,
      bytes,
      sentBytes,
      wireBytes,
      bytesPerSecond: seconds > 0.5 && first !== undefined ? Math.max(0, (sentBytes - first.sent) / seconds) : 0,
      allPaused: counts.running === 0 && counts.waiting + counts.paused > 0 && (this.held || counts.waiting === 0),
    };
  }

  /** The item of a row: rows are copies, so that a snapshot never changes under the reader. */
  find(row: Item): Item | undefined {
    return this.items.get(row.id);
  }
}

export const uploads = new UploadQueue(deltaUploader);
