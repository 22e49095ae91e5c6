/** A line of a function's log. */
export type LogLine = { id: number; atMs: number; text: string }

/** The newest lines of each function's log since the stack was started. Older lines are in the log files. */
export type FunctionLines = {
  add(name: string, text: string): void
  names(): string[]
  of(name: string): readonly LogLine[]
}

const mostLines = 2_000
const longestText = 16 * 1024

/** Keeps up to 2,000 lines of each function and 16 kB of each line, so that memory stays bounded. */
export function makeFunctionLines(now: () => number = Date.now): FunctionLines {
  const lines = new Map<string, LogLine[]>()
  let id = 0
  return {
    add(name, text) {
      const kept = lines.get(name) ?? []
      lines.set(name, kept)
      kept.push({ id: id++, atMs: now(), text: text.slice(0, longestText) })
      // Old lines are removed rarely, because each removal moves all that are kept.
      if (kept.length > 2 * mostLines) kept.splice(0, kept.length - mostLines)
    },
    names: () => [...lines.keys()],
    of: (name) => (lines.get(name) ?? []).slice(-mostLines),
  }
}
