// The server's figures: made up, in keeping with each other, moving each second. With live: false they stand still.
const kOps = [
  ['upload', 'in'],
  ['download', 'out'],
  ['http-put', 'in'],
  ['http-get', 'out'],
];
const kPaths = ['backups/2026-11/home.tar.zst', 'projects/render/scene-0042.blend', 'vm/images/debian-12.qcow2', 'photos/2026/IMG_20261103_101500.dng', 'db/dumps/customers.sql', 'music/live/session-07.wav', 'very/deep/folder/structure/that/goes/on/for/a/while/and/then/some/model-weights-final-v3.safetensors', 'logs/2026-11-27.ndjson', '<img src=x onerror=alert(1)>', 'mail/archive.mbox', 'video/rushes/A001_C004.mov'];
const kAccounts = ['alice', 'bob', 'carol', 'nightly-backup', 'dave'];
const kStep = { '5m': [300, 1], '1h': [60, 60], '24h': [1440, 60], '90d': [2160, 3600] };

/** The same numbers in every run. */
function wave(at, seed, period) {
  return 0.5 + 0.3 * Math.sin((at / period) * 2 * Math.PI + seed) + 0.15 * Math.sin((at / period) * 7.3 + seed * 3) + 0.05 * Math.sin(at * 0.43 + seed * 11);
}

export class Figures {
  constructor({ live }) {
    this.started = Date.now() - 93_784_000;
    this.ticks = 0;
    this.counters = { in: 412_316_860_416, out: 98_784_247_808, matchedIn: 1_893_000_000_000, matchedOut: 240_000_000_000, literal: 31_000_000_000, zero: 7_000_000_000, requests: 1_284_332, errors: 117 };
    this.active = kPaths.map((path, index) => this.transfer(index, path));
    this.recent = Array.from({ length: 140 }, (_, index) => ({ ...this.transfer(1000 - index, kPaths[(index * 5) % kPaths.length]), started_ms: Date.now() - (index + 2) * 41_000, seconds: 0.4 + ((index * 37) % 200) / 9, ...this.ended(index) }));
    this.sessions = Array.from({ length: 137 }, (_, index) => ({ id: 4000 + index, kind: index % 9 === 0 ? 'http' : index % 31 === 0 ? 'websocket' : 'sync', peer: index % 4 === 0 ? `[2001:db8::${(index * 77).toString(16)}]:${40_000 + index}` : `192.0.2.${(index * 13) % 250}:${40_000 + index}`, account: kAccounts[index % 5], requests: (index * 97) % 3000, bytes_in: ((index * 7_919_333) % 9_000_000_000), bytes_out: ((index * 3_121_777) % 2_000_000_000), since_ms: Date.now() - ((index * 73_331) % 80_000) * 1000, tls: index % 3 !== 0 }));
    this.accounts = kAccounts.map((name, index) => ({ name, bytes: [92e9, 410e9, 12e9, 1.91e12, 0][index], files: [18_204, 91_022, 330, 1_204_118, 0][index], quota_bytes: [200e9, 430e9, 0, 4e12, 50e9][index], quota_files: [0, 100_000, 0, 0, 1000][index], connections: [31, 22, 4, 80, 0][index] }));
    this.problems = [];
    const texts = [
      ['warning', 'checkpoint took 2.4 s; the disk is busy'],
      ['error', 'upload of "db/dumps/customers.sql" by bob failed: E_QUOTA, the quota of 400 GiB is used up'],
      ['warning', '192.0.2.77: 5 attempts with unknown tokens, slowed down'],
      ['warning', 'foreign change: "projects/render/scene-0042.blend" was changed by another program and is indexed as a new version'],
      ['error', 'flush of staging/3f failed: Input/output error; the draft is discarded'],
      ['warning', 'connection 4031 moved no byte for 60 s while it held memory: E_TOO_SLOW'],
      ['warning', 'peer sent <img src=x onerror=alert(1)> as a path; refused'],
    ];
    texts.reverse().forEach(([level, text], index) => this.addProblem(level, text, Date.now() - (texts.length - index) * 900_000, 1 + ((index * 5) % 4)));
    if (live) {
      this.timer = setInterval(() => this.tick(), 1000);
      this.timer.unref();
    }
  }

  stop() {
    clearInterval(this.timer);
  }

  addProblem(level, text, time_ms = Date.now(), count = 1) {
    this.problems.unshift({ id: (this.problems[0]?.id ?? 0) + 1, time_ms, level, text, count });
  }

  transfer(index, path) {
    const [op, direction] = kOps[index % 4];
    const total = index === 7 ? null : Math.round(2 ** (24 + ((index * 5) % 12)) * 1.37);
    const done = (total ?? 900_000_000) * (0.08 + ((index * 29) % 80) / 100);
    const matched = op.startsWith('http') ? 0 : Math.round(done * 0.86);
    return { id: `${4000 + (index % 137)}-${index}`, connection: 4000 + (index % 137), account: kAccounts[index % 5], op, direction, path, state: 'active', total_bytes: total, matched_bytes: matched, literal_bytes: Math.round(done - matched), zero_bytes: 0, wire_bytes: Math.round((done - matched) * 0.7), started_ms: Date.now() - (5 + index * 7) * 1000, seconds: 5 + index * 7, result: null };
  }

  ended(index) {
    const total = Math.round(2 ** (12 + ((index * 5) % 22)) * 1.37);
    const failed = index % 17 === 3;
    const state = failed ? 'failed' : index % 23 === 7 ? 'cancelled' : 'done';
    const matched = Math.round(total * 0.9);
    return { state, result: failed ? 'E_QUOTA' : state === 'done' ? 'ok' : 'E_CANCELLED', total_bytes: total, matched_bytes: matched, literal_bytes: total - matched, wire_bytes: Math.round((total - matched) * 0.6) };
  }

  tick() {
    this.ticks += 1;
    const at = Date.now() / 1000;
    this.counters.in += Math.round(this.bytesIn(at));
    this.counters.out += Math.round(this.bytesOut(at));
    this.counters.matchedIn += Math.round(this.saved(at));
    this.counters.literal += Math.round(this.bytesIn(at));
    this.counters.requests += Math.round(180 * wave(at, 5, 90));
    if (this.ticks % 20 === 5) this.counters.errors += 1;
    for (const transfer of this.active) {
      const speed = (transfer.total_bytes ?? 2 ** 32) / 150;
      const left = (transfer.total_bytes ?? 2 ** 50) - transfer.matched_bytes - transfer.literal_bytes;
      const step = Math.min(left, Math.round(speed));
      const matched = transfer.op.startsWith('http') ? 0 : Math.round(step * 0.86);
      transfer.matched_bytes += matched;
      transfer.literal_bytes += step - matched;
      transfer.wire_bytes += Math.round((step - matched) * 0.7);
      transfer.seconds += 1;
      if (left <= step) Object.assign(transfer, this.transfer(Number(transfer.id.split('-')[1]), transfer.path), { matched_bytes: 0, literal_bytes: 0, seconds: 0, started_ms: Date.now() });
    }
  }

  bytesIn(at) {
    return 48e6 * wave(at, 1, 120);
  }

  bytesOut(at) {
    return 17e6 * wave(at, 2, 75);
  }

  saved(at) {
    return 130e6 * wave(at, 3, 200);
  }

  event() {
    return { status: this.status(), transfers: this.active, problems_last_id: this.problems[0]?.id ?? 0 };
  }

  transfers() {
    return { active: this.active, recent: this.recent };
  }

  cancel(id) {
    const found = this.active.find((transfer) => transfer.id === id);
    if (found === undefined) return false;
    this.active = this.active.filter((transfer) => transfer !== found);
    this.recent.unshift({ ...found, state: 'cancelled', result: 'E_CANCELLED' });
    return true;
  }

  close(id) {
    const before = this.sessions.length;
    this.sessions = this.sessions.filter((session) => session.id !== id);
    return this.sessions.length < before;
  }

  metrics() {
    const { counters } = this;
    return {
      millraced_ready: 1,
      'millraced_connections_active{listener="sync"}': this.sessions.filter((session) => session.kind === 'sync').length,
      millraced_saved_bytes_total: counters.matchedIn + counters.matchedOut + counters.zero,
      millraced_request_errors_total: counters.errors,
      'millraced_connections_active{listener="http"}': this.sessions.filter((session) => session.kind === 'http').length,
      millraced_transfers_active: this.active.length,
      'millraced_transfer_wire_bytes_total{direction="in"}': counters.in,
      'millraced_transfer_wire_bytes_total{direction="out"}': counters.out,
      'millraced_delta_bytes_total{direction="in",kind="matched"}': counters.matchedIn,
      'millraced_delta_bytes_total{direction="out",kind="matched"}': counters.matchedOut,
      'millraced_delta_bytes_total{direction="in",kind="literal"}': counters.literal,
      'millraced_delta_bytes_total{direction="out",kind="literal"}': Math.round(counters.literal / 4),
      'millraced_delta_bytes_total{direction="in",kind="zero"}': counters.zero,
      'millraced_delta_bytes_total{direction="out",kind="zero"}': 0,
      'millraced_requests_total{op="upload",result="ok"}': counters.requests,
      'millraced_requests_total{op="upload",result="error"}': counters.errors,
      'millraced_hash_bytes_total{algorithm="sha256",purpose="chunk"}': counters.in * 2,
    };
  }

  status() {
    const at = Date.now() / 1000;
    const now = Date.now();
    return {
      version: '0.1.0',
      started_ms: this.started,
      uptime_seconds: (now - this.started) / 1000,
      now_ms: now,
      ready: true,
      listeners: [
        { kind: 'sync', address: '0.0.0.0:5000', tls: true },
        { kind: 'http', address: '127.0.0.1:8000', tls: false },
      ],
      health: [
        { name: 'loops', ok: true, detail: '2 loops turn' },
        { name: 'store', ok: true, detail: 'writable, 361 GiB above its reserve' },
        { name: 'catalogue', ok: true, detail: 'answers in 0.2 ms' },
        { name: 'draining', ok: true, detail: 'takes new connections' },
      ],
      metrics: this.metrics(),
      storage: { files: 1_313_674, bytes: 2_424_000_000_000, trash_bytes: 161_000_000_000, partial_uploads: 23, free_bytes: 588_000_000_000, total_bytes: 3_840_000_000_000, reserve_bytes: 192_000_000_000 },
      performance: {
        loops: [
          { lag_p99_seconds: 0.0021 * wave(at, 8, 60), sessions: 71, bytes_per_second: this.bytesIn(at) },
          { lag_p99_seconds: 0.0017 * wave(at, 9, 60), sessions: 66, bytes_per_second: this.bytesOut(at) },
        ],
        queues: [
          { name: 'cpu', length: Math.round(14 * wave(at, 4, 30)), running: 2, wait_p50_seconds: 0.0004, wait_p99_seconds: 0.0121 },
          { name: 'disk', length: Math.round(5 * wave(at, 6, 20)), running: 4, wait_p50_seconds: 0.0011, wait_p99_seconds: 0.0484 },
          { name: 'flush', length: 1, running: 1, wait_p50_seconds: 0.0062, wait_p99_seconds: 0.0911 },
          { name: 'catalogue', length: 0, running: 1, wait_p50_seconds: 0.0002, wait_p99_seconds: 0.0043 },
        ],
        flushes: {
          file: { count: 812_002, p50_seconds: 0.0021, p99_seconds: 0.0312 },
          folder: { count: 40_118, p50_seconds: 0.0028, p99_seconds: 0.0402 },
          catalogue: { count: 91_733, p50_seconds: 0.0031, p99_seconds: 0.0617 },
        },
        memory: { buffers_bytes: Math.round(150e6 * wave(at, 7, 45)), buffers_limit_bytes: 268_435_456, resident_bytes: 203_400_000 },
        descriptors: { open: 214, limit: 1_048_576 },
        cpu_seconds: 9128,
        requests: [
          { op: 'upload', ok: 812_331, failed: 92, p50_seconds: 0.0181, p99_seconds: 0.311 },
          { op: 'download', ok: 310_118, failed: 11, p50_seconds: 0.0094, p99_seconds: 0.142 },
          { op: 'list', ok: 120_001, failed: 0, p50_seconds: 0.0008, p99_seconds: 0.0062 },
          { op: 'delete', ok: 41_882, failed: 14, p50_seconds: 0.0051, p99_seconds: 0.0734 },
        ],
      },
    };
  }

  history(window) {
    const [length, step] = kStep[window] ?? kStep['5m'];
    const end = Date.now();
    const scale = step === 1 ? 1 : 30;
    const make = (value) => Array.from({ length }, (_, index) => value(end / 1000 - (length - 1 - index) * step));
    const gap = (values) => (window === '24h' ? values.map((value, index) => (index > 400 && index < 440 ? null : value)) : values);
    return {
      window,
      step_seconds: step,
      end_ms: end,
      series: {
        connections: gap(make((at) => Math.round(110 + 50 * wave(at / scale, 4, 140)))),
        transfers: gap(make((at) => Math.round(16 * wave(at / scale, 1, 60)))),
        in_bytes_per_second: gap(make((at) => this.bytesIn(at / scale))),
        out_bytes_per_second: gap(make((at) => this.bytesOut(at / scale))),
        saved_bytes_per_second: gap(make((at) => this.saved(at / scale))),
        requests_per_second: gap(make((at) => 180 * wave(at / scale, 5, 90))),
        errors_per_second: gap(make((at) => (Math.round(at) % 97 < 2 ? 1 : 0))),
        latency_p50_seconds: gap(make((at) => 0.012 * wave(at / scale, 6, 100))),
        latency_p99_seconds: gap(make((at) => 0.11 * wave(at / scale, 7, 100))),
        loop_lag_p99_seconds: gap(make((at) => 0.0022 * wave(at / scale, 8, 60))),
      },
    };
  }
}
