import { expect, test } from 'vitest'
import { rowInArchive } from './archive-sql.ts'

test('earlier changes of a row are found in the archive by the key of its records', () => {
  const key = [
    { name: 'id', type: 'bigint', text: '9223372036854775807' },
    { name: `o'k "x"`, type: 'text', text: `it's` },
  ]

  expect(
    rowInArchive('archive', 'public.orders', key, '2026-11-27T14:05:00.000001Z'),
  ).toBe(`select source_ts, op, tx_id, before, after, headers
from archive
where topic = 'changes'
  and table_name = 'public.orders'
  and key = '{"key":{"id":9223372036854775807,"o''k \\"x\\"":"it''s","_table":"public.orders"}}'
  and source_ts < timestamp '2026-11-27 14:05:00.000001 UTC'
order by kafka_offset desc`)
})

test('of a key whose values capture may write otherwise, all rows of the table are found', () => {
  const key = [{ name: 'at', type: 'timestamp with time zone', text: '2026-01-01 00:00:00+00' }]

  expect(rowInArchive('archive', 'public.orders', key, undefined)).not.toContain('and key')
})
