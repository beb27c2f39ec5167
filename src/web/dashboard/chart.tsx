// A chart over time, drawn by uPlot on a canvas. Lines differ by dash as well as by colour, and the legend under them is text.
import { useEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { useStore } from '../shared/store';
import { theme } from '../shared/theme';
import { useSize } from '../shared/use_size';

export interface Line {
  label: string;
  colour: string; // the name of a custom property
  dash: number[];
  values: (number | null)[];
}

interface Props {
  label: string;
  lines: Line[];
  endMs: number;
  stepSeconds: number;
  points: number; // so many fit the window: a young server's line starts in the middle
  format: (value: number) => string;
  steps: number[] | undefined; // between the lines of the grid, where 1, 2, 5 and 10 are not what people count in
}

const kLeast = 120;

function property(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(lines: Line[], width: number, height: number, format: (value: number) => string, steps: number[] | undefined): uPlot.Options {
  const font = `12px ${property('--font') || 'sans-serif'}`;
  const axis = { stroke: property('--muted'), font, grid: { stroke: property('--grid'), width: 1 }, ticks: { show: false } };
  const clock = (seconds: number, long: boolean): string => {
    const text = new Date(seconds * 1000).toTimeString();
    return text.slice(0, long ? 8 : 5);
  };
  return {
    width,
    height,
    padding: [8, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, size: 30, gap: 8, space: 80, values: (_plot, splits, _axis, _space, step) => splits.map((split) => clock(split, step < 60)) },
      { ...axis, size: 84, space: 34, values: (_plot, splits) => splits.map(format), ...(steps === undefined ? {} : { incrs: steps }) },
    ],
    series: [{}, ...lines.map((line) => ({ label: line.label, stroke: property(line.colour), width: 1.75, dash: line.dash, points: { show: false } }))],
  };
}

export function Chart({ label, lines, endMs, stepSeconds, points, format, steps }: Props) {
  const [holder, size] = useSize<HTMLDivElement>();
  const colours = useStore(theme);
  const plot = useRef<uPlot | null>(null);
  const readout = useRef<HTMLSpanElement>(null);
  const data = useMemo<uPlot.AlignedData>(() => {
    const count = Math.max(points, lines[0]?.values.length ?? 0);
    const times = Array.from({ length: count }, (_, index) => endMs / 1000 - (count - 1 - index) * stepSeconds);
    return [times, ...lines.map((line) => [...new Array<null>(count - line.values.length).fill(null), ...line.values])];
  }, [lines, endMs, stepSeconds, points]);
  const shape = lines.map((line) => line.label).join();
  const visible = size.width > kLeast;

  useEffect(() => {
    if (holder.current === null || !visible) return undefined;
    const made = new uPlot(
      {
        ...options(lines, size.width, Math.max(kLeast, size.height), format, steps),
        hooks: {
          setCursor: [
            (self) => {
              const index = self.cursor.idx;
              const time = typeof index === 'number' ? self.data[0][index] : undefined;
              if (readout.current === null) return;
              readout.current.textContent =
                time === undefined || typeof index !== 'number'
                  ? ''
                  : `${new Date(time * 1000).toTimeString().slice(0, 8)}  ${self.series
                      .slice(1)
                      .map((series, number) => `${String(series.label)} ${valueText(self.data[number + 1]?.[index], format)}`)
                      .join(' · ')}`;
            },
          ],
        },
      },
      data,
      holder.current,
    );
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
    // A new plot for other lines, units or colours; new numbers go into the one that is there.
  }, [shape, format, colours, visible]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);

  useEffect(() => {
    if (visible) plot.current?.setSize({ width: size.width, height: Math.max(kLeast, size.height) });
  }, [size.width, size.height]);

  const summary = lines.map((line) => `${line.label}: ${lastText(line, format)}`).join(', ');
  return (
    <figure class="chart">
      <div class="chart-area" ref={holder} role="img" aria-label={`${label}. Now: ${summary}`} />
      <figcaption class="legend">
        {lines.map((line) => (
          <span key={line.label} class="legend-item">
            <svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true" focusable="false">
              <path d="M0 4h24" style={{ stroke: `var(${line.colour})`, strokeDasharray: line.dash.join(' ') }} />
            </svg>
            {line.label} <b>{lastText(line, format)}</b>
          </span>
        ))}
        <span class="readout" ref={readout} />
      </figcaption>
    </figure>
  );
}

function valueText(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value);
}

function lastText(line: Line, format: (value: number) => string): string {
  return valueText(line.values.findLast((value) => value !== null), format);
}
