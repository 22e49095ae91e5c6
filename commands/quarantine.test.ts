import { expect, test, vi } from 'vitest'
import { main } from './quarantine.ts'

test.each([
  [['list', '--limitt', '3'], "Unknown option '--limitt'"],
  [['list', '--limit', 'many'], '--limit many is not a number of records.'],
  [['show', 'orders'], 'orders is not a place such as changes-2@17.'],
])('%j is refused with exit code 2', async (argv, why) => {
  const printed = vi.spyOn(console, 'error').mockReturnValue()
  try {
    expect(await main(argv)).toBe(2)
    expect(printed).toHaveBeenCalledWith(expect.stringContaining(why))
  } finally {
    printed.mockRestore()
  }
})
