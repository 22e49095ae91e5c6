/** How many exceptions of a stack trace are shown; the other lines only say where they happened. */
const TRACE_LINES = 3

/** The exception class that a connector uses for its own errors. Its name adds nothing to the message. */
const OWN = /^org\.apache\.kafka\.connect\.errors\.ConnectException: /

/** The exception and its causes: Java writes them as the lines that are not indented. */
export function firstLines(trace = 'without a trace'): string {
  const lines = trace.split('\n').filter((line) => line !== '' && !/^\s/.test(line))
  return lines.slice(0, TRACE_LINES).join(' / ')
}

/** The same without its class and its command, for a message that names the command itself. */
export function failureOf(trace: string | undefined): string {
  const said = firstLines(trace)
    .replace(OWN, '')
    .replace(/\. Run npm run recover\.?/, '')
  const parts = said.split(' / ')
  // The message of an exception that wraps another one often contains the other's message.
  const isRepeated = (part: string, index: number) =>
    parts.slice(0, index).some((before) => before.includes(part.replace(/^Caused by: /, '')))
  return parts.filter((part, index) => !isRepeated(part, index)).join(' / ')
}
