const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/** The values of a line in COPY's text format; null for an SQL null. */
export function copyValues(line: string): (string | null)[] {
  return line.split('\t').map((field) => (field === '\\N' ? null : withoutEscapes(field)))
}

function withoutEscapes(field: string): string {
  return field.includes('\\') ? field.replace(/\\(.)/g, (_, character) => escapes[character] ?? character) : field
}
