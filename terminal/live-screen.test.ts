import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cutText } from './display-width.ts'
import { openLiveScreen, type Terminal } from './live-screen.ts'

/**
 * A terminal with the behaviour that the screen uses: it wraps unless that is off, and it erases to the end of the row.
 */
function makeTerminal(size: { columns: number; rows: number }) {
  let cells: string[][] = []
  let writes = 0
  let wraps = true
  const listeners: (() => void)[] = []
  const put = (row: number, text: string) => {
    ;[...text].forEach((character, index) => {
      const line = cells[wraps ? row + Math.floor(index / size.columns) : row]
      if (line !== undefined) line[wraps ? index % size.columns : Math.min(index, size.columns - 1)] = character
    })
  }
  const terminal = {
    get columns() {
      return size.columns
    },
    get rows() {
      return size.rows
    },
    write: (text: string) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
      const drawn = /^\u001b\[(\d+);1H\u001b\[K(.*)$/s.exec(text)
      if (text.includes('\u001b[?1049h')) wraps = false
      if (text.endsWith('\u001b[2J')) cells = Array.from({ length: size.rows }, () => Array(size.columns).fill(' '))
      if (drawn === null) return true
      writes += 1
      cells[Number(drawn[1]) - 1]!.fill(' ')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
      const wrapped = /^\u001b\[\?7h(.*)\u001b\[\?7l$/s.exec(drawn[2]!)?.[1]
      wraps = wrapped !== undefined
      put(Number(drawn[1]) - 1, wrapped ?? drawn[2]!)
      return true
    },
    on: (_: string, listener: () => void) => listeners.push(listener),
    off: (_: string, listener: () => void) => listeners.splice(listeners.indexOf(listener), 1),
  }
  return {
    terminal: terminal as unknown as Terminal,
    text: () => cells.map((line) => line.join('').trimEnd()),
    writes: () => writes,
    resize: (changed: { columns: number; rows: number }) => {
      Object.assign(size, changed)
      for (const listener of listeners) listener()
    },
    listeners,
  }
}

test('whatever was drawn before, the screen shows the last lines, each on its own row, cut where they are too wide', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '-'), maxLength: 25 }).map((text) => text.trimEnd())
  const frames = fc.array(fc.array(line, { maxLength: 9 }), { minLength: 1, maxLength: 6 })

  fc.assert(
    fc.property(frames, (all) => {
      const { terminal, text } = makeTerminal({ columns: 10, rows: 6 })
      const screen = openLiveScreen(terminal)
      for (const frame of all) screen.draw(() => frame)
      screen.close()

      const cut = all.at(-1)!.map((each) => cutText(each, 10))
      const expected = [...cut, ...Array(6).fill('')].slice(0, 6).map((each) => each.trimEnd())
      expect(text()).toEqual(expected)
    }),
  )
})

test('a line that stays whole runs on into rows of its own, whatever was there before', () => {
  const { terminal, text } = makeTerminal({ columns: 5, rows: 4 })
  const screen = openLiveScreen(terminal)

  screen.draw(() => ['a', 'b', 'c', 'd'])
  screen.draw(() => [{ whole: '0123456789abc' }, 'z'])
  expect(text()).toEqual(['01234', '56789', 'abc', 'z'])

  screen.draw(() => ['a', { whole: '012345' }, 'z'])
  screen.close()
  expect(text()).toEqual(['a', '01234', '5', 'z'])
})

test('lines that stay as they are are not written again', () => {
  const { terminal, writes } = makeTerminal({ columns: 10, rows: 6 })
  const screen = openLiveScreen(terminal)

  screen.draw(() => ['a', 'b', 'c'])
  screen.draw(() => ['a', 'x', 'c'])
  screen.close()

  expect(writes()).toBe(4)
})

test('a terminal whose size changes is drawn for its new size at once', () => {
  const { terminal, text, resize } = makeTerminal({ columns: 10, rows: 6 })
  const screen = openLiveScreen(terminal)
  screen.draw(({ width, height }) => [`${width} x ${height}`, 'abcdefghijkl'])

  resize({ columns: 7, rows: 2 })
  expect(text()).toEqual(['7 x 2', 'abcdef…'])

  resize({ columns: 12, rows: 3 })
  expect(text()).toEqual(['12 x 3', 'abcdefghijkl', ''])
  screen.close()
})

test('closing twice, or at the end of the process, gives the terminal back once', () => {
  const { terminal, listeners } = makeTerminal({ columns: 10, rows: 6 })
  const written: string[] = []
  const screen = openLiveScreen({ ...terminal, write: (text: string) => written.push(text) > 0 } as Terminal)

  screen.close()
  screen.close()

  expect(written.filter((text) => text.includes('?1049l'))).toHaveLength(1)
  expect(listeners).toEqual([])
  expect(process.listeners('exit')).not.toContain(screen.close)
})
