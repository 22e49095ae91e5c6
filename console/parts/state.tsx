import type { ComponentChildren } from 'preact'

/** How well something is. Each has a shape and a word besides its colour. */
export type Tone = 'good' | 'idle' | 'busy' | 'attention' | 'bad' | 'stopped'

/** The shape of a tone, in a square of 12. */
const shapes: Readonly<Record<Tone, string>> = {
  good: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm2.600 3.500L5.400 7.900 3.500 6l.8-.8 1.100 1.100 2.400-2.600Z',
  idle: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm0 1.600a3.400 3.400 0 1 1 0 6.800 3.400 3.400 0 0 1 0-6.800Z',
  busy: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm0 1.600v6.800a3.400 3.400 0 0 1 0-6.800Z',
  attention: 'M6 .5 11.500 6 6 11.500.5 6Zm-.7 2.700v3.300h1.400V3.200Zm0 4.200v1.400h1.400V7.400Z',
  bad: 'M6 .8 11.800 11H.2Zm-.7 3.400v3.500h1.400V4.200Zm0 4.300v1.400h1.400V8.500Z',
  stopped:
    'M1.200 1.200h9.600v9.600H1.200Zm2.700 1.700-1 1L5 6 2.900 8.100l1 1L6 7l2.100 2.100 1-1L7 6l2.100-2.100-1-1L6 5Z',
}

/** The shape of a tone alone, where a word beside it says the same. */
export const Shape = ({ tone }: { readonly tone: Tone }) => (
  <svg class={`shape tone-${tone}`} viewBox="0 0 12 12" aria-hidden="true">
    <path d={shapes[tone]} fill-rule="evenodd" />
  </svg>
)

/** The path of a shape, for the picture of the pipeline. */
export const shapeOf = (tone: Tone): string => shapes[tone]

/** A state as shape, colour and word. */
export const State = ({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) => (
  <span class={`state tone-${tone}`}>
    <Shape tone={tone} />
    <span>{children}</span>
  </span>
)

const tones: Readonly<Record<string, Tone>> = {
  healthy: 'good',
  captured: 'good',
  running: 'good',
  shown: 'good',
  enabled: 'good',
  equal: 'good',
  done: 'good',
  idle: 'idle',
  waiting: 'idle',
  paused: 'attention',
  disabled: 'stopped',
  unassigned: 'attention',
  starting: 'busy',
  restarting: 'attention',
  pending: 'busy',
  'awaiting writers': 'busy',
  'awaiting table': 'busy',
  snapshotting: 'busy',
  backfilling: 'busy',
  comparing: 'busy',
  creating: 'busy',
  enabling: 'busy',
  updating: 'busy',
  reconnecting: 'attention',
  'not captured': 'attention',
  'not compared': 'attention',
  refused: 'attention',
  failing: 'bad',
  failed: 'bad',
  different: 'bad',
  down: 'bad',
  'capture is down': 'bad',
  stopped: 'stopped',
  deleted: 'stopped',
}

/** The tone of a word that some part of Tidemark, Connect or AWS says of itself. */
export const toneOf = (state: string): Tone => tones[state.toLowerCase()] ?? 'attention'

/** The state that a part says of itself. */
export const NamedState = ({ state }: { readonly state: string }) => (
  <State tone={toneOf(state)}>{state.toLowerCase()}</State>
)
