import { useMemo } from 'preact/hooks'
import { trend } from '../../api/trend.ts'
import { Chart } from '../../charts/chart.tsx'
import { Empty, Panel } from '../../parts/panel.tsx'
import { formatRate } from '../../text/numbers.ts'

/** Captured and applied changes while the page was open. */
export function ThroughputPanel() {
  const points = trend.value
  const times = useMemo(() => points.map(({ at }) => at), [points])
  const lines = useMemo(
    () => [
      { label: 'captured', color: '--series-1', values: points.map(({ captured }) => captured), isFilled: true },
      { label: 'applied', color: '--series-2', values: points.map(({ applied }) => applied) },
    ],
    [points],
  )
  return (
    <Panel title="Throughput" beside={<span class="quiet">changes per second, since the page is open</span>}>
      {points.length < 2 ? (
        <Empty>The chart begins with the second snapshot.</Empty>
      ) : (
        <Chart
          label="Changes captured and applied per second"
          times={times}
          lines={lines}
          height={236}
          format={formatRate}
        />
      )}
    </Panel>
  )
}
