import type { Unreachable } from '#core/console/values.ts'
import type { Status } from '#core/status/status.ts'
import { isNarrow } from '../../parts/preferences.ts'
import { shapeOf, type Tone, toneOf } from '../../parts/state.tsx'
import { markText } from '../../text/visible-text.ts'
import { type PartName, type PipelineEdge, type PipelinePart, pipelineEdges, pipelineParts } from './pipeline-parts.ts'

type Box = { readonly x: number; readonly y: number; readonly width: number; readonly height: number }
type Layout = { readonly width: number; readonly height: number; readonly boxes: Readonly<Record<PartName, Box>> }

const box = (x: number, y: number, width: number, height = 86): Box => ({ x, y, width, height })

const wide: Layout = {
  width: 1_160,
  height: 330,
  boxes: {
    source: box(1, 122, 184),
    connector: box(241, 122, 184),
    topics: box(487, 122, 160),
    apply: box(709, 12, 192),
    windows: box(709, 122, 192),
    archive: box(709, 232, 192),
    target: box(957, 12, 202),
    'window rows': box(957, 122, 202),
    iceberg: box(957, 232, 202),
  },
}

const narrow: Layout = {
  width: 360,
  height: 652,
  boxes: {
    source: box(1, 4, 358, 72),
    connector: box(1, 112, 358, 72),
    topics: box(1, 220, 358, 72),
    apply: box(24, 336, 154, 84),
    windows: box(24, 446, 154, 84),
    archive: box(24, 556, 154, 84),
    target: box(204, 336, 155, 84),
    'window rows': box(204, 446, 155, 84),
    iceberg: box(204, 556, 155, 84),
  },
}

type PictureProps = { readonly status: Status; readonly unreachable: readonly Unreachable[] }

/** The way of a change, with the health of each part and what passes between them. */
export function PipelinePicture({ status, unreachable }: PictureProps) {
  const layout = isNarrow.value ? narrow : wide
  const parts = pipelineParts(status, unreachable)
  return (
    <svg class="pipeline" viewBox={`0 0 ${layout.width} ${layout.height}`}>
      <title>The way of a change</title>
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
          <path d="M0 0.500 7 4 0 7.500Z" class="arrow" />
        </marker>
      </defs>
      {pipelineEdges(status).map((edge) => (
        <Edge key={`${edge.from} ${edge.to}`} edge={edge} layout={layout} />
      ))}
      {parts.map((part) => (
        <Part key={part.name} part={part} box={layout.boxes[part.name]} />
      ))}
    </svg>
  )
}

const wordOf = (state: PipelinePart['state']): string =>
  state === 'healthy' ? 'runs' : state === 'unknown' ? 'not observed' : state

const toneOfPart = (state: PipelinePart['state']): Tone =>
  state === 'unreachable' ? 'bad' : state === 'unknown' ? 'idle' : toneOf(state)

function Part({ part, box: { x, y, width, height } }: { readonly part: PipelinePart; readonly box: Box }) {
  const { title, state, why, lines, href } = part
  const tone = toneOfPart(state)
  const word = wordOf(state)
  const most = Math.floor((width - 20) / 6.7)
  const shown = why === null || tone === 'good' ? lines : [why, ...lines]
  return (
    <a href={href} class={`part tone-${tone}`}>
      <rect x={x} y={y} width={width} height={height} rx="8">
        <title>{shown.join('\n')}</title>
      </rect>
      <text class="part-title" x={x + 12} y={y + 24}>
        {title}
      </text>
      <path
        class={`shape tone-${tone}`}
        d={shapeOf(tone)}
        fill-rule="evenodd"
        transform={`translate(${x + 12} ${y + 34})`}
      />
      <text class={`part-state tone-${tone}`} x={x + 29} y={y + 44.5}>
        {word}
      </text>
      {shown.slice(0, height > 80 ? 2 : 1).map((line, index) => (
        <text key={line} class="part-line" x={x + 12} y={y + 62 + index * 15}>
          {fitted(line, most)}
        </text>
      ))}
    </a>
  )
}

/** A picture has no room for more. The whole text is in its title. */
function fitted(line: string, most: number): string {
  const visible = markText(line.slice(0, 200))
    .map(({ text }) => text)
    .join('')
  return visible.length <= most ? visible : `${visible.slice(0, most - 1)}…`
}

/** Where an arrow goes, and where its label is. */
type Way = { readonly path: string; readonly x: number; readonly y: number }

/** An arrow that is shorter has no label. */
const ROOM_FOR_LABEL = 40

function Edge({ edge, layout }: { readonly edge: PipelineEdge; readonly layout: Layout }) {
  const from = layout.boxes[edge.from]
  const to = layout.boxes[edge.to]
  const { path, x, y } = wayOf(from, to)
  const hasRoom = to.x === from.x || to.x - from.x - from.width > ROOM_FOR_LABEL
  return (
    <g class={`edge ${edge.isLive ? 'live' : ''}`}>
      <path d={path} marker-end="url(#arrow)" />
      {edge.label !== '' && hasRoom && (
        <text x={x} y={y} text-anchor="middle">
          {edge.label}
        </text>
      )}
    </g>
  )
}

function wayOf(from: Box, to: Box): Way {
  const middle = from.y + from.height / 2
  const end = to.y + to.height / 2
  if (to.x > from.x + from.width) {
    const right = from.x + from.width
    const half = (right + to.x) / 2
    const isStraight = middle === end
    const path = isStraight
      ? `M${right + 2} ${middle}H${to.x - 3}`
      : `M${right + 2} ${middle}C${half} ${middle} ${half} ${end} ${to.x - 12} ${end}H${to.x - 3}`
    return { path, x: half - 2, y: (middle + end) / 2 - 9 }
  }
  const bottom = from.y + from.height
  if (to.x === from.x) {
    const x = from.x + from.width / 2
    return { path: `M${x} ${bottom + 2}V${to.y - 3}`, x: x + 40, y: (bottom + to.y) / 2 + 4 }
  }
  return { path: `M${from.x + 9} ${bottom + 2}V${end - 8}q0 8 8 8H${to.x - 3}`, x: 0, y: 0 }
}
