import * as v from 'valibot'
import { arn, type LocalAccount } from '../local-account.ts'
import { secretSuffix } from '../secret-store.ts'
import { boolean, makeStandIn, number } from '../stand-in.ts'

const generation = v.object({
  SecretStringTemplate: v.optional(v.string()),
  GenerateStringKey: v.optional(v.string()),
  PasswordLength: v.optional(number),
  ExcludeCharacters: v.optional(v.string()),
  ExcludePunctuation: v.optional(boolean),
  ExcludeNumbers: v.optional(boolean),
  ExcludeLowercase: v.optional(boolean),
  ExcludeUppercase: v.optional(boolean),
  IncludeSpace: v.optional(boolean),
})

/** A secret. Its password is generated in the first run and kept; the rest of its JSON follows the template. */
export const secret = makeStandIn({
  properties: {
    Name: v.optional(v.string()),
    SecretString: v.optional(v.string()),
    GenerateSecretString: v.optional(generation),
  },
  ignores: ['Description', 'KmsKeyId', 'Tags'],
  attributes: ['Id'],
  bringUp: async (id, { Name, SecretString, GenerateSecretString: generate }, account) => {
    const { stack, secrets } = account
    const name = Name ?? `${stack.name}-${id}`
    const ref = arn(stack, 'secretsmanager', `secret:${name}-${secretSuffix(name)}`)
    secrets.put(ref, SecretString ?? (generate ? await generatedValue(id, generate, account) : ''))
    return { ref, attributes: { Id: ref } }
  },
})

async function generatedValue(id: string, generate: v.InferOutput<typeof generation>, account: LocalAccount) {
  const { SecretStringTemplate: template, GenerateStringKey: key, ...rules } = generate
  const password = await account.secrets.generated(id, rules)
  if (template === undefined || key === undefined) return password
  return JSON.stringify({ ...JSON.parse(template), [key]: password })
}

/** Adds the database's address to its secret, as RDS does. */
export const secretTargetAttachment = makeStandIn({
  properties: { SecretId: v.string(), TargetId: v.string() },
  ignores: ['TargetType'],
  attributes: ['Id'],
  bringUp: (_id, { SecretId, TargetId }, { secrets, databases }) => {
    const value = secrets.get(SecretId)
    const database = databases.get(TargetId)
    if (value === undefined || database === undefined) {
      throw new Error(`${SecretId} cannot be attached to ${TargetId}: one of them does not exist`)
    }
    secrets.put(
      SecretId,
      JSON.stringify({ ...JSON.parse(value), engine: 'postgres', dbInstanceIdentifier: TargetId, ...database }),
    )
    return { ref: SecretId, attributes: { Id: SecretId } }
  },
})
