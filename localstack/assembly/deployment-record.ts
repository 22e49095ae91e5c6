import { readFile } from 'node:fs/promises'
import { writePrivately } from '#localstack/private-file.ts'

/** What CloudFormation would remember of a custom resource. */
export type CustomResourceRecord = {
  type: string
  serviceToken: string
  physicalId: string
  properties: Record<string, unknown>
  data: Record<string, unknown>
}

/** What was deployed before, kept between runs. */
export type DeploymentRecord = {
  get: (id: string) => CustomResourceRecord | undefined
  ids: () => string[]
  set: (id: string, record: CustomResourceRecord) => Promise<void>
  delete: (id: string) => Promise<void>
}

/** Keeps the record in `file`, readable by its owner alone: properties may name what others need not know. */
export async function openDeploymentRecord(file: string): Promise<DeploymentRecord> {
  const records = new Map<string, CustomResourceRecord>(Object.entries(await read(file)))
  let saved = Promise.resolve()
  const save = (): Promise<void> => {
    saved = saved.then(() => writePrivately(file, JSON.stringify(Object.fromEntries(records), null, 2)))
    return saved
  }
  return {
    get: (id) => records.get(id),
    ids: () => [...records.keys()],
    set: (id, record) => {
      records.set(id, record)
      return save()
    },
    delete: (id) => {
      records.delete(id)
      return save()
    },
  }
}

async function read(file: string): Promise<Record<string, CustomResourceRecord>> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}
