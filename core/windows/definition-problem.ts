/** Why a file is no definition. */
export type DefinitionProblem = { readonly file: string; readonly line: number; readonly reason: string }

/** A problem at an index of a text; its file and its line are found afterwards. */
export type Problem = { readonly at: number; readonly reason: string }

/** Takes problems while a text is read, so that all of them are shown at once. */
export type Report = (problem: Problem) => void

/** A problem as a line for a terminal: `windows/trips.sql:3: reason`. */
export const describeProblem = ({ file, line, reason }: DefinitionProblem): string => `${file}:${line}: ${reason}`

/** What a user wrote, as a reason quotes it: in one line, and not too long. */
export function quoted(text: string): string {
  const line = text.replace(/\s+/g, ' ').replace(/\p{C}/gu, '�')
  return `'${line.length > 60 ? `${line.slice(0, 60)}…` : line}'`
}
