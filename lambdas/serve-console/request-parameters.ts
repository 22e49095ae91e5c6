// What do the parameters of a request say? Each problem is a RequestProblem with what is wrong.

import { RequestProblem } from './request-problem.ts'

const wrong = (message: string, hint: string | null = null): never => {
  throw new RequestProblem(400, message, hint)
}

/** A parameter that may be absent. An empty one counts as absent. */
export const optionalText = (query: URLSearchParams, name: string): string | undefined => query.get(name) || undefined

/** A parameter that has to be given. */
export const requiredText = (query: URLSearchParams, name: string, hint: string | null = null): string =>
  optionalText(query, name) ?? wrong(`the parameter ${name} is missing`, hint)

/** The number of items that are wanted, from 1 to `most`. */
export function limitOf(query: URLSearchParams, usual: number, most: number): number {
  const text = optionalText(query, 'limit')
  if (text === undefined) return usual
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0
  return limit >= 1 && limit <= most ? limit : wrong(`limit ${text} is not a number from 1 to ${most}`)
}

/** One of some words. */
export function wordOf<T extends string>(query: URLSearchParams, name: string, words: readonly T[]): T | undefined {
  const text = optionalText(query, name)
  if (text === undefined) return undefined
  return words.find((word) => word === text) ?? wrong(`${name} ${text} is none of ${words.join(', ')}`)
}

/** A time in UTC, such as `2026-11-30T14:05:03.000001Z`. */
export function timeOf(query: URLSearchParams, name: string): string | undefined {
  const text = optionalText(query, name)
  if (text === undefined) return undefined
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?Z$/.test(text) && !Number.isNaN(Date.parse(text))
  return isTime ? text : wrong(`${name} ${text} is no time`, 'Write it as 2026-11-30T14:05:03Z.')
}

/** Digits of a number that Postgres can store as a bigint. */
export function digitsOf(text: string, what: string): string {
  const isNumber = /^\d{1,19}$/.test(text) && BigInt(text) < 2n ** 63n
  return isNumber ? text : wrong(`${what} ${text} is not a number`)
}

/** A JSON object, as its text. */
export function objectOf(text: string, name: string): string {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return text
  } catch (cause) {
    throw Object.assign(new RequestProblem(400, `${name} is no JSON`, `Write it as {"id":7}.`), { cause })
  }
  return wrong(`${name} is no JSON object`, `Write it as {"id":7}.`)
}

/** What a cursor says; `parse` returns undefined for a text that is none. */
export function cursorOf<T>(text: string | undefined, parse: (text: string) => T | undefined): T | undefined {
  if (text === undefined) return undefined
  return parse(text) ?? wrong('after is not the cursor of an earlier answer')
}

/** SQLSTATEs that say which of the given values is wrong: data exceptions, unknown tables and columns. */
const ofValues = /^(22...|42703|42P01)$/

/** What the database says about a given table, key or value becomes the problem of the request. */
export async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Error && 'severity' in error && 'code' in error)) throw error
    if (!ofValues.test(String(error.code))) throw error
    const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : null
    const status = error.code === '42P01' ? 404 : 400
    throw Object.assign(new RequestProblem(status, error.message, hint), { cause: error })
  }
}
