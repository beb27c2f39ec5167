// What the page and its worker say to each other.

export type ToWorker =
  | { kind: 'load'; module: string; zstd: string; connect: string } // addresses
  | { kind: 'start'; id: number; file: File; path: string; replace: boolean }
  | { kind: 'stop'; id: number; keep: boolean }; // paused (what the server has is kept) or cancelled; nothing more is said of it

export type FromWorker =
  | { kind: 'unusable' } // the module does not load here: nothing can be uploaded this way
  | { kind: 'unreachable'; ids: number[] } // no connection could be opened; these have not begun
  | { kind: 'progress'; id: number; done: number; wire: number }
  | { kind: 'ended'; id: number; code: number; sentence: string; wire: number }; // code: see base/error.h; 0 is well
