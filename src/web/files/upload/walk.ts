// Finds all files in what was dropped or chosen, folders included, with their paths below the place of the drop.
export interface Found {
  file: File;
  path: string;
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A folder's entries come in portions (of 100 in Chromium): one asks until none comes. */
async function childrenOf(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) return all;
    all.push(...portion);
  }
}

async function* walk(entry: FileSystemEntry): AsyncGenerator<Found | { path: string; why: string }> {
  const path = entry.fullPath.replace(/^\//, '');
  try {
    if (entry.isFile) yield { file: await fileOf(entry as FileSystemFileEntry), path };
    else for (const child of await childrenOf(entry as FileSystemDirectoryEntry)) yield* walk(child);
  } catch (error) {
    yield { path, why: error instanceof Error ? error.message : 'It cannot be read.' };
  }
}

/** Must be called within the drop's event: the browser empties the list after it. */
export function entriesOf(items: DataTransferItemList): FileSystemEntry[] {
  return [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
}

export async function* walkAll(entries: FileSystemEntry[]): AsyncGenerator<Found | { path: string; why: string }> {
  for (const entry of entries) yield* walk(entry);
}

export function chosen(list: FileList): Found[] {
  return [...list].map((file) => ({ file, path: file.webkitRelativePath === '' ? file.name : file.webkitRelativePath }));
}
