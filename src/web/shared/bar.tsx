// A bar of parts; the parts differ by pattern as well as by colour, and the label says the same in words.
export interface Part {
  kind: 'matched' | 'literal' | 'used' | 'trash' | 'other' | 'over';
  share: number; // of the whole bar, 0 to 1
}

interface Props {
  parts: Part[];
  label: string;
  mark?: number; // where a limit lies, 0 to 1
}

export function Bar({ parts, label, mark }: Props) {
  return (
    <div class="bar" role="img" aria-label={label} title={label}>
      {parts.map((part) => (
        <span key={part.kind} class={`bar-part ${part.kind}`} style={{ width: `${Math.min(1, Math.max(0, part.share)) * 100}%` }} />
      ))}
      {mark !== undefined && <span class="bar-mark" style={{ left: `${Math.min(1, Math.max(0, mark)) * 100}%` }} />}
    </div>
  );
}
