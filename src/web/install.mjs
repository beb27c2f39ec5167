// Installs the npm packages of a package-lock.json into a folder of the build, and touches a stamp.
// Usage: node install.mjs LOCK-FILE FOLDER STAMP
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const [lock, folder, stamp] = process.argv.slice(2).map((path) => resolve(path));
mkdirSync(folder, { recursive: true });
for (const name of ['package.json', 'package-lock.json', '.npmrc']) copyFileSync(join(dirname(lock), name), join(folder, name));
const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, encoding: 'utf8' });
if (npm.status !== 0) {
  console.error(`${npm.stdout ?? ''}${npm.stderr ?? npm.error}`);
  console.error('The npm packages of the web pages could not be installed; -Dweb=disabled builds without the pages.');
  process.exit(1);
}
writeFileSync(stamp, '');
