import { expect, test } from 'vitest'
import { lineOfName } from './named-line.ts'

const text = `-- source: public.ride
-- event time: at
select
  "Zone" as zone,
  sum(fair) as earnings,
  midian(fare) as median
from ride -- fair enough
`

test.each([
  ['column "fair" does not exist', 5],
  ['column ride.Zone does not exist', 1],
  ['column "Zone" does not exist', 4],
  ['function midian(numeric) does not exist', 6],
  ['the event time "at" is no column of public.ride', 2],
  ['relation "public.ride" does not exist', 1],
  ['out of memory', 1],
])('the line of %j is %i', (message, line) => {
  expect(lineOfName(text, message)).toBe(line)
})
