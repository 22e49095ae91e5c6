import { expect, test } from 'vitest'
import { orderOfTurn } from './turns.ts'

test('every second turn goes backwards, so that each system comes as often before as after every other', () => {
  const systems = ['a', 'b', 'c']
  const turns = [1, 2, 3, 4].map((turn) => orderOfTurn(turn, systems))

  expect(turns).toEqual([
    ['a', 'b', 'c'],
    ['c', 'b', 'a'],
    ['a', 'b', 'c'],
    ['c', 'b', 'a'],
  ])
  expect(systems).toEqual(['a', 'b', 'c'])
})
