// A value that components watch. One-way: whoever owns the store sets it, components only read.
import { useEffect, useReducer } from 'preact/hooks';

export class Store<T> {
  private readonly watchers = new Set<() => void>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(value: T): void {
    if (value === this.value) return;
    this.value = value;
    for (const watcher of [...this.watchers]) watcher();
  }

  /** Calls back after each change until the returned function is called. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [, redraw] = useReducer((count: number, _: undefined) => count + 1, 0);
  const drawn = store.get();
  useEffect(() => {
    // It may have changed between drawing and this effect.
    if (store.get() !== drawn) redraw(undefined);
    return store.watch(() => redraw(undefined));
  }, [store]);
  return drawn;
}
