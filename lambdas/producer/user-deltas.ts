import type { DeltasPayload } from './payload.ts'
import { pickInt, pickOne, pickWeighted, type Random } from './pick.ts'

/** One delta as it is published: a change of one user. */
export type UserDelta = {
  id: number
  name: string
  age: number
  op: 'insert' | 'update' | 'delete'
  /** Counts 1, 2, 3 … within a run. */
  event_order: number
  /** ISO 8601. */
  ts: string
  /** Grows from run to run of the producer, so that a later run's deltas are later than all of an earlier one. */
  run: number
}

type User = Pick<UserDelta, 'id' | 'name' | 'age'>

export type UserDeltasOptions = Pick<DeltasPayload, 'weights' | 'age'> & {
  run: number
  random: Random
  /** Milliseconds since 1970. */
  now: () => number
}

const names = ['Ada', 'Barbara', 'Edgar', 'Grace', 'Jim', 'Leslie', 'Margaret', 'Michael', 'Pat', 'Radia']

/**
 * The most users that updates and deletes choose from. Others are forgotten, so that memory stays bounded in a long
 * run.
 */
const mostKnown = 100_000

/**
 * Makes deltas that fit together: updates and deletes change users that exist, and a delete has the last values of its
 * user. When there is no user yet, an insert comes instead.
 */
export function makeUserDeltas({ run, weights, age, random, now }: UserDeltasOptions): () => UserDelta {
  const known: User[] = []
  let lastId = 0
  let order = 0

  const insert = (): User => {
    lastId += 1
    const user = { id: lastId, name: pickOne(names, random), age: pickInt(age.min, age.max, random) }
    known[known.length < mostKnown ? known.length : pickInt(0, mostKnown - 1, random)] = user
    return user
  }
  const update = (): User => {
    const index = pickInt(0, known.length - 1, random)
    const user = { ...known[index]!, name: pickOne(names, random), age: pickInt(age.min, age.max, random) }
    known[index] = user
    return user
  }
  const remove = (): User => {
    const index = pickInt(0, known.length - 1, random)
    const user = known[index]!
    known[index] = known.at(-1)!
    known.pop()
    return user
  }

  return () => {
    const op = known.length === 0 ? 'insert' : pickWeighted(weights, random)
    const user = { insert, update, delete: remove }[op]()
    order += 1
    return { ...user, op, event_order: order, ts: new Date(now()).toISOString(), run }
  }
}
