// The right column of the overview: storage, health, recent problems.
import { moment, visible } from '../shared/format';
import { Icon } from '../shared/icons';
import type { Health, StorageFigures } from '../shared/types';
import { useSize } from '../shared/use_size';
import { fragmentOf } from '../shared/places';
import { LevelMark, useProblems } from './problems';
import { StorageBar, StorageCounts, StorageLegend, StorageState } from './storage_parts';

const kProblemRow = 26;
const kLeastProblems = 3;

export function StorageCard({ storage }: { storage: StorageFigures }) {
  return (
    <section class="card" aria-label="Storage">
      <div class="card-head">
        <h2>Storage</h2>
        <a href={fragmentOf('storage')}>Details</a>
      </div>
      <StorageBar storage={storage} />
      <StorageState storage={storage} />
      <StorageLegend storage={storage} />
      <StorageCounts storage={storage} />
    </section>
  );
}

export function HealthCard({ health, ready }: { health: Health[]; ready: boolean }) {
  return (
    <section class="card" aria-label="Health">
      <div class="card-head">
        <h2>Health</h2>
        <span class={ready ? 'badge good' : 'badge bad'}>
          <Icon name={ready ? 'check' : 'error'} /> {ready ? 'ready' : 'not ready'}
        </span>
      </div>
      <ul class="health">
        {health.map((check) => (
          <li key={check.name}>
            <span class={check.ok ? 'with-icon good' : 'with-icon bad'} role="img" aria-label={check.ok ? 'good' : 'bad'}>
              <Icon name={check.ok ? 'check' : 'error'} />
            </span>
            <span class="health-name">{check.name}</span>
            <span class="health-detail" title={check.detail}>
              {check.detail}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

export function ProblemsCard({ lastId }: { lastId: number }) {
  const problems = useProblems(lastId);
  const [holder, size] = useSize<HTMLDivElement>();
  const room = Math.max(kLeastProblems, Math.floor(size.height / kProblemRow));
  return (
    <section class="card problems" aria-label="Recent problems">
      <div class="card-head">
        <h2>Recent problems</h2>
        <a href={fragmentOf('log')}>Log</a>
      </div>
      <div class="problem-rows" ref={holder}>
        {problems.length === 0 && <p class="empty">None since the start.</p>}
        <ul class="problem-list">
          {problems.slice(0, room).map((problem) => (
            <li key={problem.id}>
              <LevelMark level={problem.level} />
              <span class="problem-text" title={visible(problem.text)}>
                {visible(problem.text)}
                {problem.count > 1 && <b> ×{problem.count}</b>}
              </span>
              <time dateTime={new Date(problem.time_ms).toISOString()}>{moment(problem.time_ms)}</time>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}
