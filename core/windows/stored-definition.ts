import type { WindowDefinition } from './definition.ts'

type Times = 'boundMicros' | 'allowedLatenessMicros' | 'futureAfterMicros' | 'idleAfterMicros'
type Optional = 'futureAfterMicros' | 'publish' | 'where' | 'having' | 'view'

/** A definition as `tidemark.window_definition.definition` has it: times are texts, and what is undefined is absent. */
export type StoredDefinition = {
  readonly [Member in Exclude<keyof WindowDefinition, Times | 'window' | Optional>]: WindowDefinition[Member]
} & {
  readonly [Member in Exclude<Optional, Times>]?: Exclude<WindowDefinition[Member], undefined>
} & {
  readonly window: { readonly sizeMicros: string; readonly slideMicros: string }
  readonly boundMicros: string
  readonly allowedLatenessMicros: string
  readonly futureAfterMicros?: string
  readonly idleAfterMicros: string
}

/** The JSON with which `tidemark.put_window` is called. */
export function definitionJson(definition: WindowDefinition): string {
  return JSON.stringify(definition, (_, value) => (typeof value === 'bigint' ? String(value) : value))
}

/** The definition of a stored JSON. */
export function storedDefinition(json: StoredDefinition): WindowDefinition {
  const { window, boundMicros, allowedLatenessMicros, futureAfterMicros, idleAfterMicros, ...others } = json
  return {
    publish: undefined,
    where: undefined,
    having: undefined,
    view: undefined,
    ...others,
    window: { sizeMicros: BigInt(window.sizeMicros), slideMicros: BigInt(window.slideMicros) },
    boundMicros: BigInt(boundMicros),
    allowedLatenessMicros: BigInt(allowedLatenessMicros),
    futureAfterMicros: futureAfterMicros === undefined ? undefined : BigInt(futureAfterMicros),
    idleAfterMicros: BigInt(idleAfterMicros),
  }
}
