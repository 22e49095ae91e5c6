import { base64ToBytes } from './bytes.ts'
import { codec, type Decode } from './codec.ts'
import { floatText } from './numbers.ts'
import { refuse } from './value-error.ts'

/** Geometric types arrive as objects that hold their numbers, or hold them in well-known binary (WKB). */
type Wire = {
  x?: unknown
  y?: unknown
  a?: unknown
  b?: unknown
  c?: unknown
  radius?: unknown
  center?: Wire
  wkb?: unknown
  extensions?: { closed?: unknown }
}

const shape =
  (type: string, text: (wire: Wire) => string): Decode =>
  (wire) =>
    typeof wire === 'object' && wire !== null ? text(wire) : refuse(type, wire)

const pointText = ({ x, y }: Wire): string => `(${floatText(x)},${floatText(y)})`

/** The points of a LineString, or of a Polygon with one ring, as `(x,y)`. Throws a ValueError on anything else. */
function pointsOf({ wkb }: Wire, form: 'line' | 'ring'): string[] {
  const bytes = typeof wkb === 'string' ? base64ToBytes(wkb) : refuse('geometry', wkb)
  const view = new DataView(bytes.buffer)
  const header = form === 'line' ? 9 : 13
  const [kind, rings] = form === 'line' ? [2, 1] : [3, 1]
  const known = bytes.length >= header && bytes[0] === 1 && view.getUint32(1, true) === kind
  if (!known || (form === 'ring' && view.getUint32(5, true) !== rings)) refuse('geometry', wkb)
  const count = view.getUint32(header - 4, true)
  if (bytes.length !== header + count * 16) refuse('geometry', wkb)
  return Array.from({ length: count }, (_, i) => {
    const [x, y] = [view.getFloat64(header + i * 16, true), view.getFloat64(header + i * 16 + 8, true)]
    return `(${floatText(x)},${floatText(y)})`
  })
}

function pathText(wire: Wire): string {
  const points = pointsOf(wire, 'line').join(',')
  const closed = wire.extensions?.closed
  if (closed === 'true') return `(${points})`
  return closed === 'false' ? `[${points}]` : refuse('path', wire)
}

function boxText(wire: Wire): string {
  const corners = pointsOf(wire, 'ring')
  return corners.length === 5 ? `${corners[0]},${corners[2]}` : refuse('box', wire)
}

export const point = codec(shape('point', pointText))
export const line = codec(shape('line', ({ a, b, c }) => `{${floatText(a)},${floatText(b)},${floatText(c)}}`))
export const lseg = codec(shape('lseg', (wire) => `[${pointsOf(wire, 'line').join(',')}]`))
export const box = codec(shape('box', boxText))
export const path = codec(shape('path', pathText))
/** The last point of the ring repeats the first, so it is left out. */
export const polygon = codec(shape('polygon', (wire) => `(${pointsOf(wire, 'ring').slice(0, -1).join(',')})`))
export const circle = codec(
  shape('circle', ({ center, radius }) =>
    center === undefined ? refuse('circle', center) : `<${pointText(center)},${floatText(radius)}>`,
  ),
)
