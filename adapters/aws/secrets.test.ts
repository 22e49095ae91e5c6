import { expect, test } from 'vitest'
import { databaseSecret } from './secrets.ts'

const complete = { host: 'h', port: 5432, dbname: 'd', username: 'u', password: 'p', engine: 'postgres' }

function secretsManager(answers: (object | string | Error)[]) {
  const asked: unknown[] = []
  const send = async (command: { input: unknown }) => {
    asked.push(command.input)
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return { SecretString: typeof answer === 'string' ? answer : JSON.stringify(answer) }
  }
  return { asked, send: send as never }
}

test('a secret as RDS writes it is read by its ARN, its port a number or text', async () => {
  const manager = secretsManager([{ ...complete, port: '5433' }])

  const credentials = await databaseSecret('arn:secret', manager)()

  expect(credentials).toEqual({ host: 'h', port: 5433, dbname: 'd', username: 'u', password: 'p' })
  expect(manager.asked).toEqual([{ SecretId: 'arn:secret' }])
})

test('connections that open at the same time share one read of the secret, and a rotated password is read seconds later', async () => {
  const manager = secretsManager([complete, { ...complete, password: 'rotated' }])
  let now = 0
  const secret = databaseSecret('arn:secret', manager, () => now)

  const [first, second] = await Promise.all([secret(), secret()])
  now = 5_000
  const third = await secret()

  expect([first.password, second.password, third.password]).toEqual(['p', 'p', 'rotated'])
  expect(manager.asked).toHaveLength(2)
})

test('a read of the secret that failed is not remembered', async () => {
  const secret = databaseSecret('arn:secret', secretsManager([new Error('throttled'), complete]))

  await expect(secret()).rejects.toThrow('throttled')

  await expect(secret()).resolves.toMatchObject({ password: 'p' })
})

test.each([
  ['a field missing', { ...complete, host: undefined }, 'wrong: host'],
  ['a port that is none', { ...complete, port: 'p' }, 'wrong: port'],
  ['text that is not JSON', 'hunter2', 'wrong: value'],
])('a secret with %s is an error that names it and shows no value', async (_, answer, wrong) => {
  const read = databaseSecret('arn:secret', secretsManager([answer]))()

  await expect(read).rejects.toThrow(wrong)
  await expect(read).rejects.toThrow(/^secret arn:secret must be JSON with [a-z, ]*; wrong: [a-z]*$/)
})
