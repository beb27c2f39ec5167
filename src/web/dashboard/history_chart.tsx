// One chart with a switch for what it shows and how far back. One unit at a time.
import { useMemo, useState } from 'preact/hooks';
import { count, latency, perSecond, rate } from '../shared/format';
import { useStore } from '../shared/store';
import type { HistoryWindow, SeriesName } from '../shared/types';
import { Chart, type Line } from './chart';
import { historyOf, useHistoryUpdates } from './history';

interface Topic {
  label: string;
  unit: string;
  format: (value: number) => string;
  steps?: number[];
  lines: { label: string; series: SeriesName; colour: string; dash: number[] }[];
}

const kByteSteps = Array.from({ length: 50 }, (_, power) => 2 ** power);
const kWholeSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];
const kSolid: number[] = [];
const kDashed = [7, 4];
const kDotted = [2, 3];

export const kTopics = {
  throughput: {
    label: 'Throughput',
    unit: 'bytes a second on the wire',
    format: rate,
    steps: kByteSteps,
    lines: [
      { label: 'In', series: 'in_bytes_per_second', colour: '--line-1', dash: kSolid },
      { label: 'Out', series: 'out_bytes_per_second', colour: '--line-2', dash: kDashed },
      { label: 'Saved', series: 'saved_bytes_per_second', colour: '--line-3', dash: kDotted },
    ],
  },
  requests: {
    label: 'Requests',
    unit: 'a second',
    format: perSecond,
    lines: [
      { label: 'Requests', series: 'requests_per_second', colour: '--line-1', dash: kSolid },
      { label: 'Errors', series: 'errors_per_second', colour: '--line-4', dash: kDashed },
    ],
  },
  latency: {
    label: 'Latency',
    unit: 'from request to answer',
    format: latency,
    lines: [
      { label: 'Half within', series: 'latency_p50_seconds', colour: '--line-1', dash: kSolid },
      { label: '99 % within', series: 'latency_p99_seconds', colour: '--line-2', dash: kDashed },
    ],
  },
  connections: {
    label: 'Connections',
    unit: 'open at a time',
    format: count,
    steps: kWholeSteps,
    lines: [
      { label: 'Connections', series: 'connections', colour: '--line-1', dash: kSolid },
      { label: 'Transfers', series: 'transfers', colour: '--line-2', dash: kDashed },
    ],
  },
  loopLag: {
    label: 'Loop lag',
    unit: 'of the event loops',
    format: latency,
    lines: [{ label: '99 % within', series: 'loop_lag_p99_seconds', colour: '--line-1', dash: kSolid }],
  },
} as const satisfies Record<string, Topic>;

export type TopicName = keyof typeof kTopics;

const kWindows: { name: HistoryWindow; label: string; points: number; step: number }[] = [
  { name: '5m', label: '5 min', points: 300, step: 1 },
  { name: '1h', label: '1 h', points: 60, step: 60 },
  { name: '24h', label: '24 h', points: 1440, step: 60 },
];

interface SwitchProps<T extends string> {
  label: string;
  options: { name: T; label: string }[];
  chosen: T;
  choose: (name: T) => void;
}

function Switch<T extends string>({ label, options, chosen, choose }: SwitchProps<T>) {
  return (
    <div class="switch" role="group" aria-label={label}>
      {options.map((option) => (
        <button key={option.name} type="button" aria-pressed={option.name === chosen} onClick={() => choose(option.name)}>
          {option.label}
        </button>
      ))}
    </div>
  );
}

export function HistoryChart({ topics }: { topics: TopicName[] }) {
  const [chosen, choose] = useState<TopicName>(topics[0] ?? 'throughput');
  const [window_, chooseWindow] = useState<HistoryWindow>('5m');
  useHistoryUpdates(window_);
  const history = useStore(historyOf(window_));
  const topic: Topic = kTopics[chosen];
  const span = kWindows.find((one) => one.name === window_);
  // The same lines as long as the history is the same: the place is drawn each second, the chart need not be.
  const lines = useMemo<Line[]>(() => topic.lines.map((line) => ({ label: line.label, colour: line.colour, dash: line.dash, values: history?.series[line.series] ?? [] })), [history, topic]);
  return (
    <section class="card history-chart" aria-label="History">
      <div class="card-head">
        <h2>
          {topic.label} <span class="muted">{topic.unit}</span>
        </h2>
        {topics.length > 1 && <Switch label="What the chart shows" options={topics.map((name) => ({ name, label: kTopics[name].label }))} chosen={chosen} choose={choose} />}
        <Switch label="How far back" options={kWindows} chosen={window_} choose={chooseWindow} />
      </div>
      <Chart
        label={`${topic.label}, ${topic.unit}, last ${span?.label ?? ''}`}
        lines={lines}
        endMs={history?.end_ms ?? 0}
        stepSeconds={history?.step_seconds ?? span?.step ?? 1}
        points={span?.points ?? 0}
        format={topic.format}
        steps={topic.steps}
      />
    </section>
  );
}
