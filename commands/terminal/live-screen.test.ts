import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openLiveScreen, type Terminal } from './live-screen.ts'

/** As much of a terminal as the screen uses: it wraps, and it erases to the end of the row. */
function makeTerminal(columns: number, rows: number) {
  let cells: string[][] = []
  let writes = 0
  const listeners: (() => void)[] = []
  const put = (row: number, text: string) => {
    ;[...text].forEach((character, index) => {
      const line = cells[row + Math.floor(index / columns)]
      if (line !== undefined) line[index % columns] = character
    })
  }
  const terminal = {
    columns,
    rows,
    write: (text: string) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
      const drawn = /^\u001b\[(\d+);1H\u001b\[K(.*)$/s.exec(text)
      if (text.endsWith('\u001b[2J')) cells = Array.from({ length: rows }, () => Array(columns).fill(' '))
      if (drawn === null) return true
      writes += 1
      cells[Number(drawn[1]) - 1]!.fill(' ')
      put(Number(drawn[1]) - 1, drawn[2]!)
      return true
    },
    on: (_: string, listener: () => void) => listeners.push(listener),
    off: (_: string, listener: () => void) => listeners.splice(listeners.indexOf(listener), 1),
  }
  return {
    terminal: terminal as unknown as Terminal,
    text: () => cells.map((line) => line.join('').trimEnd()),
    writes: () => writes,
    resize: () => {
      for (const listener of listeners) listener()
    },
    listeners,
  }
}

test('whatever was drawn before, the screen shows the last lines, wide ones wrapped', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '-'), maxLength: 25 }).map((text) => text.trimEnd())
  const frames = fc.array(fc.array(line, { maxLength: 9 }), { minLength: 1, maxLength: 6 })

  fc.assert(
    fc.property(frames, (all) => {
      const { terminal, text } = makeTerminal(10, 6)
      const screen = openLiveScreen(terminal)
      for (const frame of all) screen.draw(frame)
      screen.close()

      const wrapped = all.at(-1)!.flatMap((each) => each.match(/.{1,10}/g) ?? [''])
      const expected = [...wrapped, ...Array(6).fill('')].slice(0, 6).map((each) => each.trimEnd())
      expect(text()).toEqual(expected)
    }),
  )
})

test('lines that stay as they are are not written again, until the size changes', () => {
  const { terminal, writes, resize } = makeTerminal(10, 6)
  const screen = openLiveScreen(terminal)

  screen.draw(['a', 'b', 'c'])
  screen.draw(['a', 'x', 'c'])
  expect(writes()).toBe(4)

  resize()
  screen.draw(['a', 'x', 'c'])
  expect(writes()).toBe(7)
  screen.close()
})

test('closing twice, or at the end of the process, gives the terminal back once', () => {
  const { terminal, listeners } = makeTerminal(10, 6)
  const written: string[] = []
  const screen = openLiveScreen({ ...terminal, write: (text: string) => written.push(text) > 0 } as Terminal)

  screen.close()
  screen.close()

  expect(written.filter((text) => text.includes('?1049l'))).toHaveLength(1)
  expect(listeners).toEqual([])
  expect(process.listeners('exit')).not.toContain(screen.close)
})
