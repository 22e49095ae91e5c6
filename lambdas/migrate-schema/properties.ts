import * as v from 'valibot'

/** CloudFormation passes every number and boolean as text. */
const count = v.pipe(v.union([v.number(), v.string()]), v.transform(Number), v.integer(), v.minValue(1))
const flag = v.pipe(
  v.union([v.boolean(), v.picklist(['true', 'false'])]),
  v.transform((value) => `${value}` === 'true'),
)
const names = v.array(v.string())

const propertiesSchema = v.object({
  /** Number of topic partitions of the topic of changes; it is fixed once set. */
  TopicPartitions: count,
  /** Which tables and columns are captured. */
  Captured: v.object({ schemas: names, includeTables: names, excludeTables: names, excludeColumns: names }),
  Epoch: count,
  /** Whether deleting the resource removes what was installed in the source. */
  DropOnDelete: flag,
})

/** Properties of the custom resource Custom::Schema. */
export type SchemaProperties = v.InferOutput<typeof propertiesSchema>

/** Reads the properties. Throws an Error that names the first one which is not valid. */
export function readProperties(properties: unknown): SchemaProperties {
  const parsed = v.safeParse(propertiesSchema, properties)
  if (parsed.success) return parsed.output
  const issue = parsed.issues[0]
  throw new Error(`property ${v.getDotPath(issue) ?? ''} of the schema: ${issue.message}`)
}
