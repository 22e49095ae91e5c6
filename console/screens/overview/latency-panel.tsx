import { useMemo } from 'preact/hooks'
import type { LatencyPercentiles, Percentiles, Stage } from '#core/status/latencies.ts'
import type { Status } from '#core/status/status.ts'
import { trend } from '../../api/trend.ts'
import { Chart, type ChartLine } from '../../charts/chart.tsx'
import { Empty, Panel } from '../../parts/panel.tsx'
import { changeQuery, place } from '../../routing/navigation.ts'
import { formatDuration } from '../../text/numbers.ts'

/** A point of the chart, at seconds since 1970. */
type Point = {
  readonly at: number
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

/** The time from commit to visible row, now or over the last day, and in which stage it goes. */
export function LatencyPanel({ status: { latency } }: { readonly status: Status }) {
  const isDay = place.value.query['latency'] === 'day'
  const { commitToVisibleMs, stagesMs }: LatencyPercentiles = isDay ? latency.lastDay : latency.now
  return (
    <Panel
      title="Commit to visible"
      beside={
        <>
          {commitToVisibleMs !== null && <span class="quiet">{written(commitToVisibleMs)}</span>}
          <span class="tabs small">
            <button
              type="button"
              aria-pressed={!isDay}
              onClick={() => changeQuery({ latency: null }, { replace: true })}
            >
              Now
            </button>
            <button
              type="button"
              aria-pressed={isDay}
              onClick={() => changeQuery({ latency: 'day' }, { replace: true })}
            >
              Last day
            </button>
          </span>
        </>
      }
    >
      {isDay ? <DayChart series={latency.series} /> : <NowChart />}
      <WhereTimeGoes stages={stagesMs} />
    </Panel>
  )
}

const written = ({ p50, p95, p99 }: Percentiles): string =>
  `p50 ${formatDuration(p50)} · p95 ${formatDuration(p95)} · p99 ${formatDuration(p99)}`

function NowChart() {
  const points = trend.value
  return <PercentileChart points={points} label="Time from commit to visible row, since the page is open" />
}

function DayChart({ series }: { readonly series: Status['latency']['series'] }) {
  const points = useMemo(() => series.map(({ atMs, p50, p95, p99 }) => ({ at: atMs / 1_000, p50, p95, p99 })), [series])
  return <PercentileChart points={points} label="Time from commit to visible row, over the last day" />
}

function PercentileChart({ points, label }: { readonly points: readonly Point[]; readonly label: string }) {
  const times = useMemo(() => points.map(({ at }) => at), [points])
  const lines = useMemo(
    (): readonly ChartLine[] => [
      { label: 'p50', color: '--series-1', values: points.map(({ p50 }) => p50), isFilled: true },
      { label: 'p95', color: '--series-3', values: points.map(({ p95 }) => p95) },
      { label: 'p99', color: '--series-4', values: points.map(({ p99 }) => p99) },
    ],
    [points],
  )
  if (points.length < 2 || points.every(({ p50 }) => p50 === null)) return <Empty>No change was measured yet.</Empty>
  return <Chart label={label} times={times} lines={lines} height={170} format={formatDuration} />
}

const stageNames: Readonly<Record<Stage, { readonly name: string; readonly does: string; readonly color: string }>> = {
  capture: { name: 'capture', does: 'until Debezium has read the change from the log', color: '--series-1' },
  topic: { name: 'topic', does: 'until Connect has sent the record to the broker', color: '--series-5' },
  mapping: { name: 'mapping', does: 'until the event source mapping has invoked the function', color: '--series-3' },
  apply: { name: 'apply', does: 'until the row is visible in the target', color: '--series-2' },
}

/** The median of each stage, as one bar. */
function WhereTimeGoes({ stages }: { readonly stages: LatencyPercentiles['stagesMs'] }) {
  const measured = (Object.keys(stageNames) as Stage[]).flatMap((stage) => {
    const ms = stages[stage]?.p50
    return ms === undefined ? [] : [{ ...stageNames[stage], ms }]
  })
  if (measured.length === 0) return null
  const sum = measured.reduce((total, { ms }) => total + ms, 0)
  return (
    <div class="time-bar">
      <h3>Where the time goes, the median of each stage</h3>
      <div class="bar" aria-hidden="true">
        {measured.map(({ name, ms, color }) => (
          <i key={name} style={{ flexGrow: String(ms / Math.max(1, sum)), background: `var(${color})` }} />
        ))}
      </div>
      <dl class="legend">
        {measured.map(({ name, does, ms, color }) => (
          <div key={name} title={does}>
            <dt>
              <i style={{ background: `var(${color})` }} />
              {name}
            </dt>
            <dd>{formatDuration(ms)}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
