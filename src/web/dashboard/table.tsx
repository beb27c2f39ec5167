// A table that sorts by its columns and shows long lists page by page.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { count } from '../shared/format';

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ComponentChildren;
  order?: (row: Row) => number | string; // without it the column cannot be sorted by
  numeric?: boolean;
  wide?: boolean; // takes the room that is left, and cuts its text
  narrow?: 'hide'; // left out where the window is narrow
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  keyOf: (row: Row) => string | number;
  empty: string;
}

const kPage = 100;

interface Sorting {
  column: number;
  falling: boolean;
}

function compare(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
}

export function classOf<Row>(column: Column<Row>): string {
  return [column.numeric === true ? 'numeric' : '', column.wide === true ? 'wide' : '', column.narrow === 'hide' ? 'hide-narrow' : ''].join(' ').trim();
}

export function Table<Row>({ label, columns, rows, keyOf, empty }: Props<Row>) {
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const [page, setPage] = useState(0);
  const order = sorting === null ? undefined : columns[sorting.column]?.order;
  const sorted = order === undefined ? rows : rows.toSorted((a, b) => compare(order(a), order(b)) * (sorting?.falling === true ? -1 : 1));
  const pages = Math.max(1, Math.ceil(sorted.length / kPage));
  const shown = Math.min(page, pages - 1);
  const sortBy = (column: number): void => setSorting(sorting?.column === column ? { column, falling: !sorting.falling } : { column, falling: columns[column]?.numeric === true });
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    <>
      <div class="table-holder" role="region" aria-label={label} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {columns.map((column, index) => (
                <th key={column.title} scope="col" class={classOf(column)} aria-sort={sorting?.column !== index ? undefined : sorting.falling ? 'descending' : 'ascending'}>
                  {column.order === undefined ? (
                    column.title
                  ) : (
                    <button type="button" class="sort" onClick={() => sortBy(index)}>
                      {column.title}
                      <span aria-hidden="true">{sorting?.column !== index ? '' : sorting.falling ? ' ↓' : ' ↑'}</span>
                    </button>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(shown * kPage, (shown + 1) * kPage).map((row) => (
              <tr key={keyOf(row)}>
                {columns.map((column) => (
                  <td key={column.title} class={classOf(column)}>
                    {column.cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 && (
        <div class="pager">
          <button type="button" disabled={shown === 0} onClick={() => setPage(shown - 1)}>
            Earlier rows
          </button>
          <span>
            {count(shown * kPage + 1)} to {count(Math.min(sorted.length, (shown + 1) * kPage))} of {count(sorted.length)}
          </span>
          <button type="button" disabled={shown === pages - 1} onClick={() => setPage(shown + 1)}>
            Further rows
          </button>
        </div>
      )}
    </>
  );
}
