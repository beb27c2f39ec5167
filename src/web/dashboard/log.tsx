// The server's problems, newest first.
import { useState } from 'preact/hooks';
import { clock, count, day, plural, visible } from '../shared/format';
import type { Problem } from '../shared/types';
import { contains, Filter } from './filter';
import { PlaceHead } from './place_head';
import { LevelMark, useProblems } from './problems';
import { type Column, Table } from './table';

const kColumns: Column<Problem>[] = [
  {
    title: 'Level',
    order: (row) => row.level,
    cell: (row) => (
      <span class="with-icon">
        <LevelMark level={row.level} /> <span class="hide-narrow">{row.level}</span>
      </span>
    ),
  },
  {
    title: 'Time',
    order: (row) => row.time_ms,
    cell: (row) => (
      <time>
        <span>{day(row.time_ms)}</span> <span>{clock(row.time_ms)}</span>
      </time>
    ),
  },
  { title: 'What happened', cell: (row) => <span class="log-text">{visible(row.text)}</span> },
  { title: 'Times', numeric: true, narrow: 'hide', order: (row) => row.count, cell: (row) => count(row.count) },
];

export function Log({ lastId }: { lastId: number }) {
  const [wanted, setWanted] = useState('');
  const [onlyErrors, setOnlyErrors] = useState(false);
  const problems = useProblems(lastId);
  const rows = problems.filter((problem) => contains(problem.text, wanted) && (!onlyErrors || problem.level === 'error'));
  return (
    <>
      <PlaceHead title="Log" note={`the last ${plural(problems.length, 'problem', 'problems')}, new ones by themselves`}>
        <label class="check">
          <input type="checkbox" checked={onlyErrors} onChange={(event) => setOnlyErrors(event.currentTarget.checked)} /> errors only
        </label>
        <Filter label="Text" value={wanted} change={setWanted} />
      </PlaceHead>
      <section class="card" aria-label="Problems">
        <Table label="Problems" columns={kColumns} rows={rows} keyOf={(row) => row.id} empty={problems.length === 0 ? 'No problem since the start.' : 'No problem matches.'} />
      </section>
    </>
  );
}
