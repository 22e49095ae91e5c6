import { useMemo } from 'preact/hooks'
import type { WindowSeries } from '#core/console/archive.ts'
import type { WindowsOfDefinition } from '#core/status/observations.ts'
import { useResource } from '../../api/resource.ts'
import { Chart } from '../../charts/chart.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { NamedState } from '../../parts/state.tsx'
import { CellText, Text } from '../../parts/text.tsx'
import { changeQuery, place } from '../../routing/navigation.ts'
import { formatCount } from '../../text/numbers.ts'
import { Figure } from '../overview/figures.tsx'

/** One definition of windows: its counts, a chart of a measure by group, and its newest windows. */
export function WindowScreen({ name }: { readonly name: string }) {
  const { measure, group, from, to } = place.value.query
  const windows = useResource('GET /windows', { everyMs: 5_000 })
  const series = useResource('GET /windows/:name/series', {
    params: { name },
    query: { measure, group, from, to },
    everyMs: 5_000,
  })
  const definition = windows.value?.definitions.find((each) => each.name === name)
  return (
    <>
      <Heading
        title={<Text value={name} />}
        above={{ href: '/windows', name: 'Windows' }}
        note={definition === undefined ? undefined : <NamedState state={definition.state} />}
      />
      <div class="stack">
        {definition !== undefined && <Counts definition={definition} />}
        <Loaded resource={series}>{(found) => <Series series={found} />}</Loaded>
      </div>
    </>
  )
}

function Counts({ definition }: { readonly definition: WindowsOfDefinition }) {
  const { open, final, revised, closed, late, future, nullTimes, watermark } = definition
  const figures = [
    ['Open', open],
    ['Final', final],
    ['Revised', revised],
    ['Closed', closed],
    ['Late rows', late],
    ['Too far ahead', future],
    ['Without time', nullTimes],
  ] as const
  return (
    <dl class="figures">
      {figures.map(([label, value]) => (
        <Figure key={label} label={label} value={value === null ? '–' : formatCount(value)} />
      ))}
      <Figure label="Watermark" value={<span class="small-value">{watermark ?? 'none'}</span>} />
    </dl>
  )
}

function Series({ series }: { readonly series: WindowSeries }) {
  const { measures, groupedBy, starts, lines, newest } = series
  const times = useMemo(
    () => starts.map((start) => Date.parse(`${start.slice(0, 19).replace(' ', 'T')}Z`) / 1_000),
    [starts],
  )
  const drawn = useMemo(
    () =>
      lines
        .slice(0, 11)
        .map((line, index) => ({ label: line.group, color: `--series-${(index % 8) + 1}`, values: line.values })),
    [lines],
  )
  const chosen = place.value.query['measure'] ?? measures[0] ?? ''
  return (
    <>
      <Panel
        title={chosen === '' ? 'Chart' : chosen}
        beside={
          measures.length > 1 && (
            <label class="beside-field">
              Measure{' '}
              <select value={chosen} onChange={(event) => changeQuery({ measure: event.currentTarget.value })}>
                {measures.map((measure) => (
                  <option key={measure}>{measure}</option>
                ))}
              </select>
            </label>
          )
        }
      >
        {times.length === 0 ? (
          <Empty>There are no windows to draw yet.</Empty>
        ) : (
          <Chart
            label={`${chosen} by the begin of the window`}
            times={times}
            lines={drawn}
            height={260}
            format={compact}
            hasNoZone
          />
        )}
        {groupedBy.length > 0 && (
          <p class="quiet">
            Groups by {groupedBy.join(', ')}: the ten largest, and the sum of all.{' '}
            {place.value.query['group'] !== undefined && <a href="?">All groups</a>}
          </p>
        )}
      </Panel>
      <Newest newest={newest} />
    </>
  )
}

const compact = (value: number): string =>
  Math.abs(value) >= 10_000 ? `${Number((value / 1_000).toPrecision(3))}k` : String(Number(value.toPrecision(4)))

function Newest({ newest }: Pick<WindowSeries, 'newest'>) {
  const columns = Object.keys(newest[0] ?? {})
  return (
    <Panel title="Newest windows" isFlush>
      {newest.length === 0 ? (
        <Empty>There are none.</Empty>
      ) : (
        <section class="table-region result-region" aria-label="Newest windows, table" tabIndex={0}>
          <table class="data-table keeps-table">
            <thead>
              <tr>
                {columns.map((name) => (
                  <th key={name} scope="col">
                    <Text value={name} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {newest.map((row, index) => (
                <tr key={index}>
                  {columns.map((name) => {
                    const value = row[name] ?? null
                    return (
                      <td key={name}>
                        <CellText cell={value === null ? { kind: 'null' } : { kind: 'text', text: value }} />
                      </td>
                    )
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Panel>
  )
}
