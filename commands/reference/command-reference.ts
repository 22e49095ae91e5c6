import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A command of `commands/`, and its output for `--help`. */
export type CommandHelp = { readonly name: string; readonly help: string }

const commands = join(import.meta.dirname, '..')

const introduction = `# Commands

What each command prints with \`--help\`, for example \`npm run compare -- --help\`. A test writes this file:
\`npx vitest run --project unit commands/reference --update\`. [README.md](../README.md) has the commands in the order in which a
newcomer needs them.
`

/**
 * Runs every command of `commands/` with `--help`, in the order of their names. `printed` returns what was logged since
 * it was last called.
 */
export async function readCommandHelps(printed: () => string): Promise<readonly CommandHelp[]> {
  const files = (await readdir(commands)).filter((file) => /^[a-z-]+\.ts$/.test(file)).sort()
  const helps: CommandHelp[] = []
  for (const file of files) {
    const { main } = await import(pathToFileURL(join(commands, file)).href)
    const code = await main(['--help'])
    if (code !== 0) throw new Error(`${file} --help ended with ${code}: every command prints its help and ends with 0`)
    helps.push({ name: file.slice(0, -'.ts'.length), help: printed() })
  }
  return helps
}

/** The content of docs/commands.md. */
export const describeCommands = (helps: readonly CommandHelp[]): string =>
  [introduction, ...helps.map(({ name, help }) => `## ${name}\n\n\`\`\`\n${help.trim()}\n\`\`\`\n`)].join('\n')
