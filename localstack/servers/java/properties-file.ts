/** Properties in the format that Java reads from a file: escaped lines `key=value`. */
export function formatProperties(properties: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${escaped(key).replace(/[ :=]/g, '\\$&')}=${escaped(String(value)).replace(/^ /, '\\ ')}\n`)
    .join('')
}

/**
 * Reads `key=value` lines in MSK's format; empty lines and `#` comments are skipped. Throws an Error for anything else.
 */
export function parseProperties(text: string): Record<string, string> {
  const lines = text.split('\n').map((line) => line.trim())
  return Object.fromEntries(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.indexOf('=')
        if (at < 1) throw new Error(`'${line}' is not key=value`)
        return [line.slice(0, at).trim(), line.slice(at + 1).trim()]
      }),
  )
}

const escaped = (text: string): string => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/\r/g, '\\r')
