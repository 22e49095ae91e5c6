import { createHash, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { writePrivately } from '#localstack/private-file.ts'

/** How a value is generated: `AWS::SecretsManager::Secret.GenerateSecretString`. */
export type Generation = {
  PasswordLength?: number | undefined
  ExcludeCharacters?: string | undefined
  ExcludePunctuation?: boolean | undefined
  ExcludeNumbers?: boolean | undefined
  ExcludeLowercase?: boolean | undefined
  ExcludeUppercase?: boolean | undefined
  IncludeSpace?: boolean | undefined
}

/** The secrets of the account. A generated value stays the same in later runs. */
export type SecretStore = {
  /** The generated value of a secret, by logical id. The first call generates and stores it. */
  generated: (id: string, generation: Generation) => Promise<string>
  put: (arn: string, value: string) => void
  /** ARNs of all secrets, in the order in which they were made. */
  arns: () => string[]
  /** The value of a secret, by ARN or name; undefined when there is none. */
  get: (id: string) => string | undefined
}

/** Opens the store, which keeps generated values in `file`. Only the file's owner can read it. */
export async function openSecretStore(file: string): Promise<SecretStore> {
  const generated = await readGenerated(file)
  const values = new Map<string, string>()
  let saved = Promise.resolve()
  return {
    generated: async (id, generation) => {
      const known = generated[id]
      if (known !== undefined) return known
      const made = generatePassword(generation)
      generated[id] = made
      saved = saved.then(() => writePrivately(file, JSON.stringify(generated, null, 2)))
      await saved
      return made
    },
    put: (arn, value) => values.set(arn, value),
    arns: () => [...values.keys()].filter((id) => id.startsWith('arn:')),
    get: (id) => values.get(id) ?? [...values].find(([arn]) => nameOf(arn) === id)?.[1],
  }
}

/**
 * The six characters that end a secret's ARN. They are derived from its name, so that the ARN is the same in every run.
 */
export function secretSuffix(name: string): string {
  const digest = createHash('sha256').update(name).digest('base64')
  return digest.replace(/[^A-Za-z0-9]/g, '').slice(0, 6)
}

const nameOf = (arn: string): string | undefined => /:secret:(.+)-\w{6}$/.exec(arn)?.[1]

async function readGenerated(file: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/**
 * Generates a password by Secrets Manager's rules: 32 characters by default, with at least one of each kind that is not
 * excluded.
 */
export function generatePassword(generation: Generation): string {
  const excluded = new Set(generation.ExcludeCharacters)
  const kinds = [
    generation.ExcludeLowercase ? '' : 'abcdefghijklmnopqrstuvwxyz',
    generation.ExcludeUppercase ? '' : 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
    generation.ExcludeNumbers ? '' : '0123456789',
    generation.ExcludePunctuation ? '' : '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
    generation.IncludeSpace ? ' ' : '',
  ].map((characters) => [...characters].filter((character) => !excluded.has(character)))
  const present = kinds.filter((characters) => characters.length > 0)
  const all = present.flat()
  if (all.length === 0) throw new Error('GenerateSecretString excludes every character')
  const length = generation.PasswordLength ?? 32
  for (;;) {
    const password = Array.from({ length }, () => all[randomInt(all.length)]!)
    if (present.every((kind) => kind.some((character) => password.includes(character)))) return password.join('')
  }
}
