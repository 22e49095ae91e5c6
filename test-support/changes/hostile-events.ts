import fc from 'fast-check'

/** One of these JSON texts. */
const written = (...values: string[]) => fc.constantFrom(...values)

const anything = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.double().map((value) => `${JSON.stringify(value)}`),
  written('"\\u0000"', '"\\ud800"', '1e400', '-0', '1e-400', '123456789012345678901234567890.5', 'null', '[[[]]]'),
)

const digits = fc.bigInt({ min: -(2n ** 63n) - 2n, max: 2n ** 63n + 2n })
const small = fc.integer({ min: -1, max: 3 })
const whole = fc.oneof(
  { weight: 30, arbitrary: small.map((value) => `${value}`) },
  { weight: 8, arbitrary: small.map((value) => `"${value}"`) },
  digits.map((value) => `${value}`),
  digits.map((value) => `"${value}"`),
  written('1.0', '1e0', '10e-1', '-0', '"-0"', '"007"', '"+1"', '"７"', '"٣"', '1.5', '" 1"', '1e18', '1e19', '-0.0'),
  anything,
)

const twoDigits = (most: number) => fc.integer({ min: 0, max: most }).map((part) => `${part}`.padStart(2, '0'))
const calendar = fc
  .tuple(
    fc.integer({ min: 0, max: 9_999 }).map((year) => `${year}`.padStart(4, '0')),
    twoDigits(12),
    twoDigits(31),
    fc.constantFrom('T', ' ', 't', ''),
    twoDigits(24),
    twoDigits(60),
    twoDigits(60),
    fc.constantFrom('', '.5', '.123456', '.999999999', '.'),
    fc.constantFrom('', 'Z', '+00:00', '-15:59', '+16:00', '+0530', ' UTC', '+1', ' -03'),
  )
  .map(([year, month, day, t, hour, minute, second, fraction, zone]) =>
    JSON.stringify(`${year}-${month}-${day}${t}${hour}:${minute}:${second}${fraction}${zone}`),
  )
const time = fc.oneof(
  { weight: 2, arbitrary: written('"2026-11-29 08:11:59"', 'null', '1764404199') },
  { weight: 4, arbitrary: calendar },
  fc.double({ min: -1e16, max: 1e16, noNaN: true }).map((value) => `${value}`),
  fc.integer({ min: -1e15, max: 1e15 }).map((value) => `${value}`),
  fc.integer({ min: 0, max: 2e12 }).map((value) => `"${value}"`),
  anything,
)

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((each) => JSON.stringify(each)),
  anything,
)
const more = fc.dictionary(fc.string({ unit: 'binary', maxLength: 3 }), anything, { maxKeys: 1 })

const object = (fields: readonly (readonly [string, string])[]): string =>
  `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`

const row = fc
  .tuple(whole, text, whole, more)
  .map(([id, name, age, rest]) => object([['id', id], ['name', name], ['age', age], ...Object.entries(rest)]))
const rowOrNot = fc.oneof({ weight: 4, arbitrary: row }, written('null', '{}', '[]', '7'))

const delta = fc
  .tuple(row, written('"insert"', '"update"', '"delete"'), whole, time, fc.option(whole))
  .map(([fields, op, order, ts, run]) => {
    const others = object([
      ['op', op],
      ['event_order', order],
      ['ts', ts],
      ...(run === null ? [] : ([['run', run]] as const)),
    ])
    return `${fields.slice(0, -1)},${others.slice(1)}`
  })

const sidesOf = (op: string): fc.Arbitrary<[before: string, after: string]> =>
  fc.oneof(
    { weight: 4, arbitrary: row.map((each): [string, string] => (op === '"d"' ? [each, 'null'] : ['null', each])) },
    fc.tuple(rowOrNot, rowOrNot),
  )

const rowChange = fc
  .tuple(written('"c"', '"u"', '"d"'), fc.oneof({ weight: 4, arbitrary: fc.integer().map(String) }, time, whole))
  .chain(([op, at]) =>
    sidesOf(op).map(([before, after]) =>
      object([
        ['op', op],
        ['before', before],
        ['after', after],
        ['ts_ms', at],
      ]),
    ),
  )

/** Values for records of the topic of user events: many are events, many are nearly events, some are anything. */
export const hostileEvents = fc.oneof({ weight: 5, arbitrary: delta }, { weight: 4, arbitrary: rowChange }, anything)
