// Files and folders dropped anywhere on the page go into the folder that is shown.
import { useEffect, useState } from 'preact/hooks';
import { sentenceOf } from '../shared/api';
import { visible } from '../shared/format';
import { Icon } from '../shared/icons';
import { notify } from '../shared/notice';
import { folder } from './folder';
import { uploads } from './upload/queue';
import { entriesOf, type Found, walkAll } from './upload/walk';

const kPortion = 200; // files go into the queue as they are found, not one by one

async function take(into: string, entries: FileSystemEntry[]): Promise<void> {
  let portion: Found[] = [];
  for await (const found of walkAll(entries)) {
    if ('why' in found) uploads.addUnreadable(into, found.path, found.why);
    else portion.push(found);
    if (portion.length < kPortion) continue;
    uploads.add(into, portion);
    portion = [];
  }
  uploads.add(into, portion);
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes('Files') ?? false;
}

export function DropTarget() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const drag = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event) || event.dataTransfer === null) return;
      event.preventDefault();
      setOver(false);
      take(folder.get().path, entriesOf(event.dataTransfer.items)).catch((error: unknown) => notify(sentenceOf(error), true));
    };
    addEventListener('dragover', drag);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', drag);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);
  return over ? (
    <div class="drop-here" aria-hidden="true">
      <div>
        <Icon name="upload" /> Drop to upload into "{visible(folder.get().path) || 'Files'}"
      </div>
    </div>
  ) : null;
}
