// Builds the pages: checks the types, bundles, names each asset by its content, and writes them as files, as a list
// (assets.json, for tests/browser/mock.mjs) and, with --cc, as the C++ source that holds them (assets.h). Without --engine, the
// module of src/web/engine, the file pages upload whole files.
// Usage: node build.mjs --modules FOLDER-WITH-node_modules --out FOLDER [--engine FILE] [--cc FILE]
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const source = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { modules: { type: 'string' }, out: { type: 'string' }, engine: { type: 'string' }, cc: { type: 'string' } } });
const modules = resolve(values.modules ?? '.');
const out = resolve(values.out ?? 'pages');
const esbuild = createRequire(join(modules, 'package.json'))('esbuild');

const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};
const kDashboardLimit = 150 * 1024; // compressed, everything that '/' loads
const kModulesLimit = 400 * 1024; // compressed, WebAssembly

function fail(sentence) {
  console.error(`web pages: ${sentence}`);
  process.exit(1);
}

// node_modules stays out of the source tree, and both tsc and esbuild look for it above the importing file: they get a copy.
const copy = join(modules, 'app');
rmSync(copy, { recursive: true, force: true });
for (const part of ['tsconfig.json', 'shared', 'dashboard', 'files', 'styles']) cpSync(join(source, part), join(copy, part), { recursive: true });

// A file that meson does not know would be built, but not built again when it changes.
const listed = readFileSync(join(source, 'meson.build'), 'utf8');
for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
  const name = relative(copy, join(entry.parentPath ?? entry.path, entry.name));
  if (entry.isFile() && !listed.includes(`'${name}'`)) fail(`${name} is not in the list of src/web/meson.build`);
}

const tsc = spawnSync(process.execPath, [join(modules, 'node_modules/typescript/bin/tsc'), '-p', copy], { cwd: copy, encoding: 'utf8' });
if (tsc.status !== 0) fail(`types do not fit\n${tsc.stdout}${tsc.stderr}`);

const assets = []; // {path, type, plain, gzip, immutable}
function add(path, text, immutable) {
  const plain = Buffer.from(text);
  const gzip = gzipSync(plain, { level: 9 });
  gzip[9] = 255; // the field that names the system it was made on
  const asset = { path, type: kTypes[extname(path)] ?? kTypes['.html'], plain, gzip: gzip.length < plain.length ? gzip : Buffer.alloc(0), immutable };
  assets.push(asset);
  return asset;
}
const digest = (text) => createHash('sha256').update(text).digest('hex').slice(0, 8).toUpperCase();
function addNamed(name, text) {
  return add(`/assets/${name.replace(/(\.[a-z]+)$/, `-${digest(text)}$1`)}`, text, true).path;
}

// The notice's name goes into the bundles, so it comes first.
const licences = readFileSync(join(source, '../../docs/THIRD-PARTY.md'), 'utf8');
const notice = addNamed('licences.txt', licences);

const common = {
  absWorkingDir: copy,
  outdir: '/assets',
  bundle: true,
  format: 'esm',
  target: ['chrome110', 'firefox115', 'safari16'],
  minify: true,
  legalComments: 'eof',
  banner: { js: `/*! Licences: ${notice} */` },
  metafile: true,
  write: false,
  logLevel: 'warning',
};

// The uploads' worker has a bundle of its own, and its name goes into the pages'.
const upload = { UPLOAD_WORKER: '""', UPLOAD_MODULE: '""', UPLOAD_ZSTD: '""' };
const bundles = [];
if (values.engine !== undefined) {
  const worker = await esbuild.build({ ...common, entryPoints: { upload: 'files/upload/worker.ts' }, entryNames: '[name]-[hash]' }).catch(() => fail('bundling failed'));
  bundles.push(worker);
  const wanted = { UPLOAD_MODULE: ['upload.wasm', resolve(values.engine)], UPLOAD_ZSTD: ['zstd.wasm', join(modules, 'node_modules/@bokuweb/zstd-wasm/dist/web/zstd.wasm')] };
  for (const [name, [asset, file]] of Object.entries(wanted)) upload[name] = JSON.stringify(addNamed(asset, readFileSync(file)));
  upload.UPLOAD_WORKER = JSON.stringify(worker.outputFiles[0].path);
  const compressed = assets.filter((asset) => asset.path.endsWith('.wasm')).reduce((sum, asset) => sum + asset.gzip.length, 0);
  if (compressed > kModulesLimit) fail(`the modules are ${compressed} bytes compressed, more than ${kModulesLimit}`);
  console.log(`web pages: WebAssembly ${compressed} bytes compressed`);
}

const bundle = await esbuild.build({
  ...common,
  entryPoints: { dashboard: 'dashboard/main.tsx', files: 'files/main.tsx', theme: 'shared/theme_boot.ts', 'dashboard-style': 'styles/dashboard.css', 'files-style': 'styles/files.css' },
  entryNames: '[name]-[hash]',
  chunkNames: 'shared-[hash]',
  splitting: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: upload,
}).catch(() => fail('bundling failed'));
bundles.push(bundle);

// Every package in the bundles must be one whose licence the pages show.
const packages = new Set(bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs)).flatMap((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? []));
for (const name of packages) {
  const { license, version } = JSON.parse(readFileSync(join(modules, 'node_modules', name, 'package.json'), 'utf8'));
  if (license !== 'MIT') fail(`${name} has the licence ${license}; only MIT is known here`);
  if (!licences.includes(`## ${name} ${version}\n`)) fail(`docs/THIRD-PARTY.md does not name ${name} ${version}`);
}

const icon = addNamed('icon.svg', readFileSync(join(source, 'styles/icon.svg')));
for (const file of bundles.flatMap((one) => one.outputFiles)) add(file.path, file.text, true);
const named = (prefix, ending) => assets.find((asset) => asset.path.startsWith(`/assets/${prefix}-`) && asset.path.endsWith(ending))?.path ?? fail(`no ${prefix}${ending}`);

function page(path, title, entry) {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="same-origin">
<title>${title}</title>
<link rel="icon" href="${icon}" type="image/svg+xml">
<link rel="license" href="${notice}">
<link rel="stylesheet" href="${named(`${entry}-style`, '.css')}">
<script src="${named('theme', '.js')}"></script>
<script type="module" src="${named(entry, '.js')}"></script>
</head>
<body>
<div id="app"></div>
<noscript>This page needs JavaScript. The same is to be had by the commands millrace and millraced, and under /api/v1/.</noscript>
</body>
</html>
`;
  return add(path, html, false);
}
page('/', 'Millrace', 'dashboard');
page('/files/', 'Millrace files', 'files');
assets.sort((a, b) => (a.path < b.path ? -1 : 1));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const list = assets.map((asset, index) => {
  const file = `${String(index).padStart(2, '0')}${extname(asset.path) || '.html'}`;
  writeFileSync(join(out, file), asset.plain);
  if (asset.gzip.length > 0) writeFileSync(join(out, `${file}.gz`), asset.gzip);
  return { path: asset.path, type: asset.type, file, gzip: asset.gzip.length > 0, immutable: asset.immutable, bytes: asset.plain.length, gzip_bytes: asset.gzip.length };
});
writeFileSync(join(out, 'assets.json'), `${JSON.stringify(list, null, 1)}\n`);

const outputs = bundle.metafile.outputs;
const key = Object.keys(outputs).find((name) => /dashboard-[A-Z0-9]+\.js$/.test(name));
const loads = [key, ...outputs[key].imports.filter((item) => item.kind === 'import-statement').map((item) => item.path)].map((name) => `/assets/${name.split('/').pop()}`);
const compressed = [...loads, named('theme', '.js'), named('dashboard-style', '.css'), '/'].reduce((sum, path) => sum + (assets.find((asset) => asset.path === path)?.gzip.length ?? 0), 0);
if (compressed > kDashboardLimit) fail(`the dashboard loads ${compressed} bytes compressed, more than ${kDashboardLimit}`);
console.log(`web pages: dashboard ${compressed} bytes compressed, ${assets.length} assets`);

if (values.cc !== undefined) {
  const blob = Buffer.concat(assets.flatMap((asset) => [asset.plain, asset.gzip]));
  const file = join(out, `assets-${digest(blob)}.bin`);
  writeFileSync(file, blob);
  let offset = 0;
  const slice = (bytes) => {
    const text = bytes.length > 0 ? `{kBlob + ${offset}, ${bytes.length}}` : '{}';
    offset += bytes.length;
    return text;
  };
  const rows = assets.map((asset) => `    {"${asset.path}", "${asset.type}", ${slice(asset.plain)}, ${slice(asset.gzip)}, ${asset.immutable}},`);
  writeFileSync(values.cc, `// Made by src/web/build.mjs. The name of the blob has its content's hash, so that this file changes whenever the pages do.
#include "web/assets.h"

asm(R"(
.pushsection .rodata
millrace_web_blob:
.incbin "${relative(process.cwd(), file)}"
.popsection
)");

namespace millrace {

extern "C" __attribute__((visibility("hidden"))) const char kBlob[] asm("millrace_web_blob");

static const WebAsset kAssets[] = {
${rows.join('\n')}
};

std::span<const WebAsset> web_assets() { return kAssets; }

}  // namespace millrace
`);
}
