/** Lines of a stack trace that say what happened; the rest says where. */
const TRACE_LINES = 3

/** The class that a connector throws of itself: its name says nothing that the message does not. */
const OWN = /^org\.apache\.kafka\.connect\.errors\.ConnectException: /

/** The exception and its causes, which Java writes as lines that begin at the margin. */
export function firstLines(trace = 'without a trace'): string {
  const lines = trace.split('\n').filter((line) => line !== '' && !/^\s/.test(line))
  return lines.slice(0, TRACE_LINES).join(' / ')
}

/** The same for a message that says the command beside it. */
export function failureOf(trace: string | undefined): string {
  const said = firstLines(trace)
    .replace(OWN, '')
    .replace(/\. Run npm run recover\.?/, '')
  const parts = said.split(' / ')
  // An exception that wraps another one often has its message.
  const isTold = (part: string, index: number) =>
    parts.slice(0, index).some((before) => before.includes(part.replace(/^Caused by: /, '')))
  return parts.filter((part, index) => !isTold(part, index)).join(' / ')
}
