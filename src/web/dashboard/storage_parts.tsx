// How full the disk is, with the line past which the server accepts nothing more.
import { Bar } from '../shared/bar';
import { bytes, percent, plural } from '../shared/format';
import { Icon } from '../shared/icons';
import type { StorageFigures } from '../shared/types';

function useOf(storage: StorageFigures) {
  const total = Math.max(1, storage.total_bytes);
  const other = Math.max(0, total - storage.free_bytes - storage.bytes - storage.trash_bytes);
  return { total, other, above: storage.free_bytes - storage.reserve_bytes };
}

export function StorageBar({ storage }: { storage: StorageFigures }) {
  const { total, other } = useOf(storage);
  return (
    <Bar
      label={`${bytes(storage.bytes)} of files, ${bytes(storage.trash_bytes)} of trash, ${bytes(other)} of other programs, ${bytes(storage.free_bytes)} free of ${bytes(total)}; the last ${bytes(storage.reserve_bytes)} are the reserve`}
      mark={1 - storage.reserve_bytes / total}
      parts={[
        { kind: 'used', share: storage.bytes / total },
        { kind: 'trash', share: storage.trash_bytes / total },
        { kind: 'other', share: other / total },
      ]}
    />
  );
}

export function StorageState({ storage }: { storage: StorageFigures }) {
  const { above } = useOf(storage);
  return above > 0 ? (
    <p class="with-icon">
      <span class="good">
        <Icon name="check" />
      </span>{' '}
      {bytes(above)} left above the reserve
    </p>
  ) : (
    <p class="with-icon bad">
      <Icon name="error" /> The reserve is reached: uploads are refused
    </p>
  );
}

export function StorageLegend({ storage }: { storage: StorageFigures }) {
  const { total, other } = useOf(storage);
  const rows: [string, string, string][] = [
    ['used', 'Files', bytes(storage.bytes)],
    ['trash', 'Trash', bytes(storage.trash_bytes)],
    ['other', 'Other programs', bytes(other)],
    ['', `Free of ${bytes(total)}`, bytes(storage.free_bytes)],
    ['mark', `Reserve, ${percent(storage.reserve_bytes / total)}`, bytes(storage.reserve_bytes)],
  ];
  return (
    <dl class="legend-list">
      {rows.map(([mark, name, value]) => (
        <div key={name}>
          <dt>
            <span class={`key-mark ${mark}`} /> {name}
          </dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function StorageCounts({ storage }: { storage: StorageFigures }) {
  return (
    <p class="muted storage-counts">
      {plural(storage.files, 'file', 'files')}, {plural(storage.partial_uploads, 'partial upload', 'partial uploads')}
    </p>
  );
}
