// Asks again and again while a place is shown and the window can be seen.
import { useEffect, useState } from 'preact/hooks';
import { getJson, sentenceOf } from '../shared/api';

export interface Polled<T> {
  value: T | null;
  why: string; // the last failure, empty when the last answer was good
  again: () => void;
}

export function usePoll<T>(path: string, everyMs: number): Polled<T> {
  const [value, setValue] = useState<{ path: string; value: T } | null>(null);
  const [why, setWhy] = useState('');
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const next = async (): Promise<void> => {
      if (document.visibilityState === 'visible') {
        try {
          const answer = await getJson<T>(path, abort.signal);
          setValue({ path, value: answer });
          setWhy('');
        } catch (error) {
          if (abort.signal.aborted) return;
          setWhy(sentenceOf(error));
        }
      }
      if (!abort.signal.aborted) timer = window.setTimeout(() => void next(), everyMs);
    };
    void next();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, everyMs, turn]);
  // What an earlier path answered is not this one's.
  return { value: value?.path === path ? value.value : null, why, again: () => setTurn(turn + 1) };
}
