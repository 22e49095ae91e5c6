/** The values of a statement that is put together: `bind` adds one and returns its place in the text, with its type. */
export class BoundValues {
  readonly values: (string | number | boolean | null | object)[] = []

  bind(value: string | number | boolean | null | object, type: string): string {
    this.values.push(value)
    return `$${this.values.length}::${type}`
  }
}
