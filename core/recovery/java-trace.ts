/** Lines of a stack trace that say what happened; the rest says where. */
const TRACE_LINES = 3

/** The exception and its causes, which Java writes as lines that begin at the margin. */
export function firstLines(trace = 'without a trace'): string {
  const lines = trace.split('\n').filter((line) => line !== '' && !/^\s/.test(line))
  return lines.slice(0, TRACE_LINES).join(' / ')
}
