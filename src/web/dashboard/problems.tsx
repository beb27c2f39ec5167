// The server's problems, for the overview and for the log.
import { useEffect, useState } from 'preact/hooks';
import { getJson } from '../shared/api';
import { Icon } from '../shared/icons';
import type { Problem } from '../shared/types';

export function LevelMark({ level }: { level: string }) {
  const bad = level === 'error';
  return (
    <span class={bad ? 'with-icon bad' : 'with-icon warn'} role="img" aria-label={bad ? 'error' : 'warning'} title={bad ? 'error' : 'warning'}>
      <Icon name={bad ? 'error' : 'warning'} />
    </span>
  );
}

/** Asks for the problems whenever the live events say that there is a new one. */
export function useProblems(lastId: number): Problem[] {
  const [problems, setProblems] = useState<Problem[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    getJson<{ problems: Problem[] }>('/api/v1/problems', abort.signal)
      .then((answer) => setProblems(answer.problems))
      .catch(() => undefined); // the live state says that the server does not answer
    return () => abort.abort();
  }, [lastId]);
  return problems;
}
