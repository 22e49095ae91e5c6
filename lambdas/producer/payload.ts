import * as v from 'valibot'

const number = v.number('must be a number')
const positive = v.pipe(number, v.gtValue(0, 'must be greater than 0'))
const weight = v.optional(v.pipe(number, v.minValue(0, 'must not be negative')), 0)

const whole = (smallest: number, largest: number) =>
  v.pipe(
    number,
    v.integer('must be a whole number'),
    v.minValue(smallest, `must be at least ${smallest}`),
    v.maxValue(largest, `must be at most ${largest}`),
  )

const howMuch = {
  /** The rate is kept by the clock: it is never higher, and lower only when Kafka or the source does not keep up. */
  eventsPerSecond: v.optional(v.pipe(positive, v.maxValue(50_000, 'must be at most 50000')), 10),
  /** Number of events in total. Exactly one of `count` and `seconds` is given. */
  count: v.optional(whole(1, 100_000_000)),
  /** How long to go on, in seconds. */
  seconds: v.optional(v.pipe(positive, v.maxValue(840, 'must be at most 840'))),
}

const age = whole(0, 2_147_483_647)
const balance = whole(-1_000_000_000, 1_000_000_000)

const deltasSchema = v.strictObject({
  mode: v.literal('deltas'),
  ...howMuch,
  /** How often each occurs, relative to the others. */
  weights: v.optional(v.strictObject({ insert: weight, update: weight, delete: weight }), {
    insert: 3,
    update: 6,
    delete: 1,
  }),
  age: v.optional(v.strictObject({ min: age, max: age }), { min: 18, max: 90 }),
  /** Whether every delta is written to the log as well. */
  print: v.optional(v.boolean('must be true or false'), false),
})

const rowsSchema = v.strictObject({
  mode: v.literal('rows'),
  ...howMuch,
  weights: v.optional(v.strictObject({ create: weight, update: weight, delete: weight }), {
    create: 3,
    update: 6,
    delete: 1,
  }),
  balance: v.optional(v.strictObject({ min: balance, max: balance }), { min: 0, max: 10_000 }),
})

const payloadSchema = v.variant('mode', [deltasSchema, rowsSchema], `must be 'deltas' or 'rows'`)

/** `{mode: 'deltas', …}`: how many user events to publish, how fast and of what kind. */
export type DeltasPayload = v.InferOutput<typeof deltasSchema>

/** `{mode: 'rows', …}`: how many rows of the source to create, update and delete, how fast and of what kind. */
export type RowsPayload = v.InferOutput<typeof rowsSchema>

/** The payload is not as docs/producer.md says. The message names the field. */
export class InvalidPayloadError extends Error {
  override name = 'InvalidPayloadError'
}

/**
 * Reads the function's payload, and fills in defaults. Throws an InvalidPayloadError that names the first wrong field.
 */
export function parsePayload(payload: unknown): DeltasPayload | RowsPayload {
  const parsed = v.safeParse(payloadSchema, payload)
  if (!parsed.success) throw refusal(...describe(parsed.issues[0]))
  const { count, seconds, weights } = parsed.output
  if ((count === undefined) === (seconds === undefined)) throw refusal('count', 'give either count or seconds')
  if (Object.values(weights).every((value) => value === 0)) throw refusal('weights', 'must not all be 0')
  const [name, range] =
    parsed.output.mode === 'deltas' ? ['age', parsed.output.age] : ['balance', parsed.output.balance]
  if (range.min > range.max) throw refusal(`${name}.min`, `must not be greater than ${name}.max`)
  return parsed.output
}

function describe(issue: v.BaseIssue<unknown>): [field: string, problem: string] {
  const field = v.getDotPath(issue)
  if (field === null) return ['payload', 'must be a JSON object']
  if (issue.type === 'strict_object' && issue.expected === 'never') return [field, 'is not known']
  return issue.received === 'undefined' ? [field, 'is missing'] : [field, issue.message]
}

function refusal(field: string, problem: string): InvalidPayloadError {
  return new InvalidPayloadError(`${field}: ${problem}; docs/producer.md lists every field`)
}

/** How many events a payload asks for. With `seconds`, it is as many as its rate gives in that time. */
export function eventCount({ count, seconds = 0, eventsPerSecond }: DeltasPayload | RowsPayload): number {
  return count ?? Math.max(1, Math.round(seconds * eventsPerSecond))
}
