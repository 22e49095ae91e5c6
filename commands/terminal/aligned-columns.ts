/** Lines of cells in aligned columns, two spaces between them; columns named in `right` are aligned to the right. */
export function alignColumns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))))
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell)))
        return right.includes(column) ? padding + cell : cell + padding
      })
      .join('  ')
      .trimEnd(),
  )
}

const segmenter = new Intl.Segmenter()
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
const escapeSequences = /\u001b\[[0-9;]*m/g

/** Characters a terminal shows, colours not counted. */
export function displayWidth(text: string): number {
  const shown = text.replace(escapeSequences, '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  return /^[\x00-\x7f]*$/.test(shown) ? shown.length : [...segmenter.segment(shown)].length
}

/** Cuts a text to a width, with an ellipsis where something is missing. */
export function cutText(text: string, width: number): string {
  const characters = [...segmenter.segment(text)].map(({ segment }) => segment)
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`
}
