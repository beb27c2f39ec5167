// The page's client without a browser: the same module and the same calls, in node, over TCP instead of a WebSocket.
// Usage: node engine_client.mjs --modules FOLDER-WITH-node_modules --engine FILE.wasm --port PORT [--zstd no] [--cut BYTES] [--new] LOCAL REMOTE
// Prints one JSON object: {code, sentence, wire, sent, received, seconds}. --cut ends the connection once so many bytes were sent;
// --new replaces nothing. With --hash MIB it only measures hashing, with --compress LEVEL RAW PREFIX CODED it writes one frame.
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { modules: { type: 'string' }, engine: { type: 'string' }, port: { type: 'string' }, zstd: { type: 'string' }, cut: { type: 'string' }, new: { type: 'boolean' }, hash: { type: 'string' }, compress: { type: 'string' } },
  allowPositionals: true,
});
const modules = resolve(values.modules);

/** The page's own TypeScript, bundled as for the worker. */
async function pageCode(folder) {
  const esbuild = createRequire(join(modules, 'package.json'))('esbuild');
  const upload = join(dirname(fileURLToPath(import.meta.url)), '../../src/web/files/upload');
  await esbuild.build({
    stdin: { contents: "export { Engine } from './engine'; export { loadCompress } from './zstd';", resolveDir: upload, loader: 'ts' },
    nodePaths: [join(modules, 'node_modules')],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    outfile: join(folder, 'page.mjs'),
  });
  return import(join(folder, 'page.mjs'));
}

const work = mkdtempSync(join(tmpdir(), 'millrace-engine-'));
const { Engine, loadCompress } = await pageCode(work);
rmSync(work, { recursive: true });
const zstd = values.zstd === 'no' ? null : await loadCompress(readFileSync(join(modules, 'node_modules/@bokuweb/zstd-wasm/dist/web/zstd.wasm')));

if (values.compress !== undefined) {
  const [raw, prefix, coded] = positionals;
  writeFileSync(coded, zstd(readFileSync(raw), readFileSync(prefix), Number(values.compress)));
  process.exit(0);
}

const kUpload = 7; // any number
const [local, remote] = positionals;
const file = local === undefined ? null : openSync(local);
const state = { wire: 0, sent: 0, received: 0, result: null };

const engine = await Engine.load(readFileSync(values.engine), zstd, {
  read: (_, offset, into) => readSync(file, into, 0, into.length, offset) === into.length,
  progress: (_, done, wire) => {
    state.wire = wire;
  },
  ended: (_, code, sentence, wire) => {
    state.result = { code, sentence, wire };
  },
  leaving: () => undefined,
});

if (values.hash !== undefined) {
  engine.measureHashing(32);
  const begun = performance.now();
  engine.measureHashing(Number(values.hash));
  console.log(JSON.stringify({ hash_megabytes_per_second: (Number(values.hash) * 1.048576) / ((performance.now() - begun) / 1000) }));
  process.exit(0);
}

const begun = performance.now();
engine.open();
const socket = connect(Number(values.port), '127.0.0.1');
let isFull = false;

function finish() {
  socket.destroy();
  closeSync(file);
  console.log(JSON.stringify({ ...state.result, sent: state.sent, received: state.received, seconds: (performance.now() - begun) / 1000 }));
  process.exit(0);
}

function send() {
  while (!isFull) {
    const bytes = engine.output();
    if (bytes === null) return;
    state.sent += bytes.length;
    isFull = !socket.write(Buffer.from(bytes)); // a copy: the module's memory changes
    if (values.cut !== undefined && state.sent >= Number(values.cut)) socket.destroySoon();
  }
}

function turn() {
  if (state.result !== null) return finish();
  const worked = engine.turn();
  send();
  if (worked) setImmediate(turn);
}

socket.on('connect', () => {
  const { size, mtimeMs } = fstatSync(file);
  engine.upload(kUpload, remote, size, Math.floor(mtimeMs), values.new !== true);
  send();
  turn();
});
socket.on('drain', () => {
  isFull = false;
  turn();
});
socket.on('data', (bytes) => {
  state.received += bytes.length;
  if (!engine.input(bytes)) socket.end();
  turn();
});
socket.on('error', () => undefined);
socket.on('close', () => {
  engine.close();
  turn();
});
