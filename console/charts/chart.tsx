import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { zone } from '../parts/preferences.ts'
import { Text } from '../parts/text.tsx'
import { formatTime } from '../text/times.ts'
import { nearest, pathOf, timeTicks, valueTicks } from './scale.ts'

/** A line of a chart; `color` is the name of a custom property such as `--series-1`. */
export type ChartLine = {
  readonly label: string
  readonly color: string
  readonly values: readonly (number | null)[]
  readonly isFilled?: boolean
}

type ChartProps = {
  /** What the chart shows, for those who do not see it. */
  readonly label: string
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[]
  readonly lines: readonly ChartLine[]
  readonly height: number
  readonly format: (value: number) => string
  /** Whether times are of no zone, such as those of event time; they are shown as they are. */
  readonly hasNoZone?: boolean
}

const LEFT = 58
const RIGHT = 10
const TOP = 8
const BOTTOM = 22

/** A chart of lines over time. Pointing at it shows the values of a time in the legend. */
export function Chart({ label, times, lines, height, format, hasNoZone = false }: ChartProps) {
  const region = useRef<HTMLDivElement>(null)
  const width = useWidth(region)
  const [pointedAt, setPointedAt] = useState<number | null>(null)
  const isUtc = hasNoZone || zone.value === 'utc'
  const drawn = useMemo(() => draw(times, lines, width, height, format, isUtc), [times, lines, width, height, isUtc])
  const index = pointedAt === null || times.length === 0 ? null : nearest(times, drawn.timeAt(pointedAt))
  return (
    <figure class="chart">
      <div
        ref={region}
        class="chart-plot"
        style={{ height: `${height}px` }}
        onPointerMove={(event) => setPointedAt(event.clientX - event.currentTarget.getBoundingClientRect().left)}
        onPointerLeave={() => setPointedAt(null)}
      >
        <svg width={width} height={height} role="img" aria-label={label}>
          {drawn.rows.map(({ y, label: text }) => (
            <g key={y}>
              <path class="grid" d={`M${LEFT} ${y}H${width - RIGHT}`} />
              <text x={LEFT - 8} y={y + 4} text-anchor="end">
                {text}
              </text>
            </g>
          ))}
          {drawn.columns.map(({ x, label: text }) => (
            <text key={x} x={x} y={height - 5} text-anchor="middle">
              {text}
            </text>
          ))}
          {drawn.lines.map(({ line, path, area }) => (
            <g key={line.label} style={{ color: `var(${line.color})` }}>
              {area !== null && <path class="area" d={area} />}
              <path class="line" d={path} />
            </g>
          ))}
          {index !== null && <path class="pointer" d={`M${drawn.xs[index]} ${TOP}V${height - BOTTOM}`} />}
        </svg>
      </div>
      <figcaption class="legend">
        {index !== null && (
          <time>
            {formatTime(new Date(times[index]! * 1_000).toISOString(), {
              zone: isUtc ? 'utc' : 'local',
              nowMs: Date.now(),
              digits: 0,
            })}
          </time>
        )}
        {lines.map((line) => (
          <span key={line.label}>
            <i style={{ background: `var(${line.color})` }} />
            <Text value={line.label} />
            <b>{written(index === null ? lastOf(line) : (line.values[index] ?? null), format)}</b>
          </span>
        ))}
      </figcaption>
    </figure>
  )
}

function useWidth(region: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600)
  useLayoutEffect(() => {
    const element = region.current
    if (element === null) return
    const measure = () => setWidth(element.clientWidth)
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return width
}

const lastOf = ({ values }: ChartLine): number | null => values.findLast((value) => value !== null) ?? null

const written = (value: number | null, format: (value: number) => string): string =>
  value === null ? '–' : format(value)

/** Where everything lies, in pixels. */
function draw(
  times: readonly number[],
  lines: readonly ChartLine[],
  width: number,
  height: number,
  format: (value: number) => string,
  isUtc: boolean,
) {
  const from = times[0] ?? 0
  const to = Math.max(from + 1, times.at(-1) ?? 0)
  const extreme = (choose: (a: number, b: number) => number) =>
    lines.reduce((sofar, { values }) => values.reduce((a: number, b) => choose(a, b ?? 0), sofar), 0)
  const rows = valueTicks(extreme(Math.min), extreme(Math.max), 4, format)
  const bottom = rows[0]!.at
  const top = rows.at(-1)!.at
  const room = Math.max(1, width - LEFT - RIGHT)
  const base = height - BOTTOM
  const x = (at: number) => LEFT + ((at - from) / (to - from)) * room
  const y = (value: number) => base - ((value - bottom) / (top - bottom)) * (base - TOP)
  const offset = isUtc ? 0 : -new Date(to * 1_000).getTimezoneOffset() * 60
  const xs = times.map(x)
  return {
    xs,
    rows: rows.map((row) => ({ y: Math.round(y(row.at)) + 0.5, label: row.label })),
    columns: timeTicks(from, to, Math.max(2, Math.floor(room / 90)), offset)
      .map((tick) => ({ x: x(tick.at), label: tick.label }))
      // A label at an end would be cut.
      .filter((column) => column.x > LEFT + 14 && column.x < width - RIGHT - 14),
    lines: lines.map((line) => {
      const path = pathOf(
        xs,
        line.values.map((value) => (value === null ? null : y(value))),
      )
      const isWhole = line.isFilled === true && xs.length > 1 && !line.values.includes(null)
      return { line, path, area: isWhole ? `${path}V${base}H${xs[0]!.toFixed(1)}Z` : null }
    }),
    timeAt: (pixel: number) => from + ((pixel - LEFT) / room) * (to - from),
  }
}
