// The shapes of the HTTP API, version 1, as far as the pages use it (docs/openapi.json says it in full).
export interface Whoami {
  account: string;
  scope: { read: boolean; write: boolean; delete: boolean; monitor: boolean; prefix: string };
  accounts_required: boolean;
  version: string;
}

export type Metrics = Record<string, number>;

export interface Health {
  name: string;
  ok: boolean;
  detail: string;
}

export interface StorageFigures {
  files: number;
  bytes: number;
  trash_bytes: number;
  partial_uploads: number;
  free_bytes: number;
  total_bytes: number;
  reserve_bytes: number;
}

export interface LoopFigures {
  lag_p99_seconds: number;
  sessions: number;
  bytes_per_second: number;
}

export interface QueueFigures {
  name: string;
  length: number;
  running: number;
  wait_p50_seconds: number;
  wait_p99_seconds: number;
}

export interface RequestFigures {
  op: string;
  ok: number;
  failed: number;
  p50_seconds: number;
  p99_seconds: number;
}

export interface FlushFigures {
  count: number;
  p50_seconds: number;
  p99_seconds: number;
}

export interface Performance {
  flushes?: Record<string, FlushFigures>;
  loops: LoopFigures[];
  queues: QueueFigures[];
  memory: { buffers_bytes: number; buffers_limit_bytes: number; resident_bytes: number };
  descriptors: { open: number; limit: number };
  cpu_seconds: number;
  requests: RequestFigures[];
}

export interface Listener {
  kind: string;
  address: string;
  tls: boolean;
}

export interface Status {
  version: string;
  started_ms: number;
  uptime_seconds: number;
  now_ms: number;
  ready: boolean;
  listeners: Listener[];
  health: Health[];
  metrics: Metrics;
  storage: StorageFigures;
  performance: Performance;
}

export type TransferState = 'active' | 'done' | 'failed' | 'cancelled';

export interface Transfer {
  id: string;
  connection: number;
  account: string;
  op: string;
  direction: 'in' | 'out';
  path: string;
  state: TransferState;
  total_bytes: number | null;
  matched_bytes: number;
  literal_bytes: number;
  zero_bytes: number;
  wire_bytes: number;
  started_ms: number;
  seconds: number;
  result: string | null;
}

export interface LiveEvent {
  status: Status;
  transfers: Transfer[];
  problems_last_id: number;
}

export type HistoryWindow = '5m' | '1h' | '24h';

export type SeriesName =
  | 'connections'
  | 'transfers'
  | 'in_bytes_per_second'
  | 'out_bytes_per_second'
  | 'saved_bytes_per_second'
  | 'requests_per_second'
  | 'errors_per_second'
  | 'latency_p50_seconds'
  | 'latency_p99_seconds'
  | 'loop_lag_p99_seconds';

export interface History {
  window: string;
  step_seconds: number;
  end_ms: number;
  series: Record<SeriesName, (number | null)[]>;
}

export interface Session {
  id: number;
  kind: string;
  peer: string;
  account: string;
  requests: number;
  bytes_in: number;
  bytes_out: number;
  since_ms: number;
  tls: boolean;
}

export interface Account {
  name: string;
  bytes: number;
  files: number;
  quota_bytes: number;
  quota_files: number;
  connections: number;
}

export interface Problem {
  id: number;
  time_ms: number;
  level: string;
  text: string;
  count: number;
}

export type EntryKind = 'file' | 'folder' | 'symlink';

export interface ListedEntry {
  name: string;
  path: string;
  path_url: string;
  kind: EntryKind;
  bytes: number;
  mtime_ms: number;
}

export interface Listing {
  path: string;
  entries: ListedEntry[];
  next: string | null;
}
