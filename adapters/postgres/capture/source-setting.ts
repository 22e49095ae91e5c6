import type { ClientBase, Pool } from 'pg'

/** What `tidemark.setting` of the source is to say. */
export type SourceSetting = {
  readonly topicPartitions: number
  readonly captured: unknown
  readonly epoch: number
  /** A source that was put back would use numbers again that the target knows. */
  readonly knownGeneration: number
}

/** The newest generation that the target knows of any table. */
export async function newestGeneration(target: ClientBase | Pool): Promise<number> {
  const { rows } = await target.query<{ generation: number }>('select tidemark.newest_generation() as generation')
  return rows[0]!.generation
}

/** Puts the setting in force. */
export async function configureSource(source: ClientBase | Pool, setting: SourceSetting): Promise<void> {
  const { topicPartitions, captured, epoch, knownGeneration } = setting
  await source.query('select tidemark.configure($1, $2, $3, $4)', [
    topicPartitions,
    JSON.stringify(captured),
    epoch,
    knownGeneration,
  ])
}
