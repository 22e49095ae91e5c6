import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A command, and its output for `--help`. */
export type CommandHelp = { readonly name: string; readonly help: string }

const commands = join(import.meta.dirname, '..')
const folders = [commands, join(commands, 'development')]

const introduction = `# Commands

What each command prints with \`--help\`, for example \`npm run compare -- --help\`. A test writes this file:
\`npx vitest run --project unit commands/reference --update\`. [README.md](../README.md) has the commands in the order in which a
newcomer needs them.
`

/**
 * Runs every command with `--help`, in the order of their names. `printed` returns what was logged since
 * it was last called.
 */
export async function readCommandHelps(printed: () => string): Promise<readonly CommandHelp[]> {
  const inFolders = folders.map(async (folder) => (await readdir(folder)).map((file) => join(folder, file)))
  const files = (await Promise.all(inFolders)).flat().filter((file) => /^[a-z-]+\.ts$/.test(basename(file)))
  const helps: CommandHelp[] = []
  for (const file of files.sort((a, b) => (basename(a) < basename(b) ? -1 : 1))) {
    const name = basename(file, '.ts')
    const { main } = await import(pathToFileURL(file).href)
    const code = await main(['--help'])
    if (code !== 0) throw new Error(`${name} --help ended with ${code}: every command prints its help and ends with 0`)
    helps.push({ name, help: printed() })
  }
  return helps
}

/** The content of docs/commands.md. */
export const describeCommands = (helps: readonly CommandHelp[]): string =>
  [introduction, ...helps.map(({ name, help }) => `## ${name}\n\n\`\`\`\n${help.trim()}\n\`\`\`\n`)].join('\n')
