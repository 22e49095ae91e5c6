import type { Status } from '#core/status/status.ts'
import { lostSince } from '../../api/server.ts'
import { snapshot } from '../../api/snapshot.ts'
import { Heading } from '../../parts/heading.tsx'
import { Panel, UnreachableNote, Waiting } from '../../parts/panel.tsx'
import { State } from '../../parts/state.tsx'
import { formatDuration, formatQuantity } from '../../text/numbers.ts'
import { ComponentsPanel } from './components.tsx'
import { Figures } from './figures.tsx'
import { LatencyPanel } from './latency-panel.tsx'
import { PipelinePicture } from './pipeline-picture.tsx'
import { Problems } from './problems.tsx'
import { ThroughputPanel } from './throughput-panel.tsx'

/** What is wrong first, and then the whole at a glance. */
export function OverviewScreen() {
  const now = snapshot.value
  return (
    <>
      <Heading title="Overview" />
      {now === null ? (
        <Panel title="State">
          <Waiting />
        </Panel>
      ) : (
        <div class={lostSince.value === null ? 'stack' : 'stack stale'}>
          {now.unreachable.map((each) => (
            <UnreachableNote key={each.part} unreachable={each} />
          ))}
          {now.problems.length > 0 && <Problems problems={now.problems} />}
          {now.status !== null && now.problems.length === 0 && now.unreachable.length === 0 && (
            <AllWell status={now.status} />
          )}
          {now.status !== null && (
            <>
              <Figures status={now.status} snapshot={now} />
              <Panel title="Pipeline" class="pipeline-panel">
                <PipelinePicture status={now.status} unreachable={now.unreachable} />
              </Panel>
              <div class="two">
                <LatencyPanel status={now.status} />
                <ThroughputPanel />
              </div>
              <ComponentsPanel components={now.status.components} />
            </>
          )}
        </div>
      )}
    </>
  )
}

function AllWell({ status: { visibleUntilMsAgo, tables, initialLoad, uptimeSeconds } }: { readonly status: Status }) {
  return (
    <p class="all-well">
      <State tone="good">All is well.</State>{' '}
      {initialLoad !== null
        ? `${initialLoad.percent} % of ${formatQuantity(initialLoad.expectedRows, 'row')} are loaded.`
        : visibleUntilMsAgo === null
          ? 'The initial snapshot is under way.'
          : `Everything that was committed until ${formatDuration(visibleUntilMsAgo)} ago is visible.`}{' '}
      <span class="quiet">
        {formatQuantity(tables.length, 'table')}, running for {formatDuration(uptimeSeconds * 1_000)}.
      </span>
    </p>
  )
}
