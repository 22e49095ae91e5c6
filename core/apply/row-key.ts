/**
 * The identity of a row inside one batch, from its canonical key texts. Two keys that Postgres holds equal give one
 * string; two it holds different give two, whatever the texts contain.
 */
export function rowKey(canonicalTexts: readonly string[]): string {
  return canonicalTexts.length === 1 ? canonicalTexts[0]! : JSON.stringify(canonicalTexts)
}
