import { expect, test } from 'vitest'
import { TableChanges } from './table-changes.ts'

const observed = (writes: Record<string, number>) => ({
  tables: Object.entries(writes).map(([name, count]) => ({ name, rows: 1, isEstimate: false, writes: count })),
})

test('a table has changed when it was written to between two observations, and not when it is seen for the first time', () => {
  const changes = new TableChanges()

  changes.see(observed({ 'public.trip': 5, 'public.zone': 2 }), 1_000)
  changes.see(observed({ 'public.trip': 6, 'public.zone': 2, 'public.rate': 9 }), 2_000)
  changes.see(observed({ 'public.trip': 6, 'public.zone': 2, 'public.rate': 9 }), 3_000)

  expect([...changes.changedAtMs]).toEqual([['public.trip', 2_000]])
})
