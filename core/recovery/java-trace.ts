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
export const failureOf = (trace: string | undefined): string =>
  firstLines(trace)
    .replace(OWN, '')
    .replace(/\. Run npm run recover\.?/, '')
