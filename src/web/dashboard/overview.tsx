// Everything at a glance, on one screen of 1366 by 768 without scrolling.
import type { Live } from './live';
import { HistoryChart } from './history_chart';
import { useHistoryUpdates } from './history';
import { LiveTransfers } from './live_transfers';
import { HealthCard, ProblemsCard, StorageCard } from './side_cards';
import { Tiles } from './tiles';
import type { Status } from '../shared/types';

export function Overview({ status, live }: { status: Status; live: Live }) {
  useHistoryUpdates('5m');
  return (
    <div class="overview">
      <h1 class="sr-only">Overview</h1>
      <Tiles metrics={status.metrics} />
      <div class="overview-main">
        <HistoryChart topics={['throughput', 'requests', 'latency', 'connections']} />
        <LiveTransfers transfers={live.transfers} />
      </div>
      <div class="overview-side">
        <StorageCard storage={status.storage} />
        <HealthCard health={status.health} ready={status.ready} />
        <ProblemsCard lastId={live.problemsLastId} />
      </div>
    </div>
  );
}
