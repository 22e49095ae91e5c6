/** How parts of a text are emphasized. */
export type Style = {
  strong(text: string): string
  label(text: string): string
  good(text: string): string
  bad(text: string): string
}

/** The style for a terminal with colours. */
export const colours: Style = {
  strong: (text) => `\u001b[1m${text}\u001b[0m`,
  label: (text) => `\u001b[2m${text}\u001b[0m`,
  good: (text) => `\u001b[32m${text}\u001b[0m`,
  bad: (text) => `\u001b[33m${text}\u001b[0m`,
}

const same = (text: string) => text

/** The style for files, pipes and terminals without colours. */
export const noColours: Style = { strong: same, label: same, good: same, bad: same }

/** The style that a stream can show. NO_COLOR is respected (https://no-color.org). */
export function styleOf(stream: { isTTY?: boolean }): Style {
  return stream.isTTY && !process.env['NO_COLOR'] ? colours : noColours
}
