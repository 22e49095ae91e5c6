import { expect, test } from 'vitest'
import { readRequest } from './capture-request.ts'

test.each([
  [{ resync: ['public.orders'] }, ['public.orders']],
  [{}, []],
  [undefined, []],
  [null, []],
  [{ source: 'aws.events', detail: {} }, []],
])('%j asks for the tables %j', (event, tables) => {
  expect(readRequest(event).resync).toEqual(tables)
})

test.each([[{ resync: 'public.orders' }], [{ resync: [''] }], [{ resync: [1] }], ['public.orders']])(
  '%j is refused with what it has to be',
  (event) => {
    expect(() => readRequest(event)).toThrow('the event must be {"resync": ["schema.table", …]} or {}: ')
  },
)
