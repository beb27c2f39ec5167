// Serves what src/web/build.mjs built, as the server does: gzip where it is accepted, hashed names for ever.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export class Pages {
  constructor(folder) {
    this.folder = folder;
  }

  /** Read at each request, so that a page built anew is there at once. */
  answer(request, response, url, headers) {
    const list = existsSync(join(this.folder, 'assets.json')) ? JSON.parse(readFileSync(join(this.folder, 'assets.json'), 'utf8')) : [];
    const path = url.pathname.startsWith('/files/') ? '/files/' : url.pathname;
    const asset = list.find((one) => one.path === path);
    if (asset === undefined) {
      response.writeHead(404, { ...headers, 'Content-Type': 'text/plain' });
      return response.end(`There is no ${url.pathname}.\n`);
    }
    const gzip = asset.gzip && (request.headers['accept-encoding'] ?? '').includes('gzip');
    response.writeHead(200, { ...headers, 'Content-Type': asset.type, Vary: 'Accept-Encoding', 'Cache-Control': asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache', ...(gzip ? { 'Content-Encoding': 'gzip' } : {}) });
    return response.end(readFileSync(join(this.folder, gzip ? `${asset.file}.gz` : asset.file)));
  }
}
