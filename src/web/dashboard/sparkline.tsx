// The last five minutes of one series as a line without axes; the tile's text says the figures.
import { useMemo } from 'preact/hooks';

interface Props {
  values: (number | null)[];
}

const kWidth = 100;
const kHeight = 28;
const kPoints = 60;

/** So many points as can be told apart, each the largest of its span: a short peak must not vanish. */
function thin(values: (number | null)[], points: number): (number | null)[] {
  if (values.length <= points) return values;
  const span = values.length / points;
  return Array.from({ length: points }, (_, index) => {
    const known = values.slice(Math.floor(index * span), Math.floor((index + 1) * span)).filter((value): value is number => value !== null);
    return known.length === 0 ? null : Math.max(...known);
  });
}

function pathOf(values: (number | null)[]): string {
  const points = thin(values, kPoints);
  const top = Math.max(...points.map((value) => value ?? 0), Number.MIN_VALUE);
  const step = kWidth / Math.max(1, points.length - 1);
  let line = '';
  let pen = 'M';
  points.forEach((value, index) => {
    if (value === null) {
      pen = 'M';
      return;
    }
    line += `${pen}${(index * step).toFixed(1)} ${(kHeight - 2 - (value / top) * (kHeight - 4)).toFixed(1)}`;
    pen = 'L';
  });
  return line;
}

export function Sparkline({ values }: Props) {
  const line = useMemo(() => pathOf(values), [values]);
  return (
    <svg class="sparkline" viewBox={`0 0 ${kWidth} ${kHeight}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <path d={`M0 ${kHeight - 1}H${kWidth}`} class="base" />
      <path d={line} class="line" />
    </svg>
  );
}
