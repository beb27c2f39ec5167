// The heading of a place, what it shows in a few words, and whether the last answer was good.
import type { ComponentChildren } from 'preact';
import { Icon } from '../shared/icons';

interface Props {
  title: string;
  note: string;
  why?: string;
  children?: ComponentChildren;
}

export function PlaceHead({ title, note, why = '', children }: Props) {
  return (
    <div class="place-head">
      <h1>{title}</h1>
      <span class="muted">{note}</span>
      {why !== '' && (
        <span class="with-icon bad" role="alert">
          <Icon name="error" /> {why}
        </span>
      )}
      <span class="spacer" />
      {children}
    </div>
  );
}
