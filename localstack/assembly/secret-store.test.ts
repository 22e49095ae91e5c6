import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resolveDynamicReference, secretValue } from './dynamic-reference.ts'
import { generatePassword, openSecretStore, type SecretStore, secretSuffix } from './secret-store.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-secrets-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe('a generated password', () => {
  test('has its length, at least one of each kind, and none of the excluded characters', () => {
    const length = fc.integer({ min: 8, max: 64 })
    const excluded = fc.constantFrom('', ' %+~`#$&*()|[]{}:;<>?!\'/@"\\', 'abc019XYZ', '0123456789')
    fc.assert(
      fc.property(length, excluded, fc.boolean(), (PasswordLength, ExcludeCharacters, ExcludePunctuation) => {
        const password = generatePassword({ PasswordLength, ExcludeCharacters, ExcludePunctuation })

        expect(password).toHaveLength(PasswordLength)
        expect([...password].filter((character) => ExcludeCharacters.includes(character))).toEqual([])
        expect(password).toMatch(/[a-z]/)
        expect(password).toMatch(/[A-Z]/)
        expect(/[^A-Za-z0-9]/.test(password)).toBe(!ExcludePunctuation)
      }),
    )
  })

  test('that may have no character is an error', () => {
    const none = { ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true }

    expect(() => generatePassword(none)).toThrow('excludes every character')
  })
})

describe('the store', () => {
  test('generates once and keeps it for the next run, in a file of its owner alone', async () => {
    const file = join(directory, 'kept.json')
    const first = await openSecretStore(file)

    const [one, two] = await Promise.all([first.generated('One', {}), first.generated('Two', {})])
    const again = await openSecretStore(file)

    expect(await again.generated('One', {})).toBe(one)
    expect(await again.generated('Two', {})).toBe(two)
    expect(one).not.toBe(two)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ One: one, Two: two })
  })

  test('finds a secret by ARN and by name', async () => {
    const store = await openSecretStore(join(directory, 'found.json'))
    const arn = `arn:aws:secretsmanager:us-east-1:000000000000:secret:tidemark-apply-${secretSuffix('tidemark-apply')}`
    store.put(arn, 'value')

    expect(secretSuffix('tidemark-apply')).toMatch(/^[A-Za-z0-9]{6}$/)
    expect(store.get(arn)).toBe('value')
    expect(store.get('tidemark-apply')).toBe('value')
    expect(store.get('tidemark')).toBeUndefined()
  })
})

describe('a reference to a secret', () => {
  const arn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf'
  let store: SecretStore
  beforeAll(async () => {
    store = await openSecretStore(join(directory, 'references.json'))
    store.put(arn, '{"username":"postgres","port":5432}')
  })

  test.each([
    [`${arn}:SecretString:username::`, 'postgres'],
    [`${arn}:SecretString:port`, '5432'],
    [`${arn}:SecretString:username:AWSCURRENT:`, 'postgres'],
    [`${arn}:SecretString`, '{"username":"postgres","port":5432}'],
    ['db:SecretString:username::', 'postgres'],
  ])('in a template: %s', (reference, expected) => {
    expect(resolveDynamicReference('secretsmanager', reference, store)).toBe(expected)
  })

  test.each([
    [`${arn}:username::`, 'postgres'],
    [arn, '{"username":"postgres","port":5432}'],
  ])('of a container: %s', (valueFrom, expected) => {
    expect(secretValue(valueFrom, store)).toBe(expected)
  })

  test('to what does not exist is an error that names it', () => {
    expect(() => resolveDynamicReference('secretsmanager', 'x:SecretString:a', store)).toThrow('there is no secret x')
    expect(() => resolveDynamicReference('secretsmanager', 'db:SecretString:a', store)).toThrow('has no key a')
    expect(() => resolveDynamicReference('ssm', '/x', store)).toThrow('{{resolve:ssm:/x}} has no value here')
    expect(() => secretValue('plain', store)).toThrow('plain is not the ARN of a secret')
  })
})
