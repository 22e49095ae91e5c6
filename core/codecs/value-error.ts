/** A value cannot be carried exactly. Its table stops, so that the target never holds another value instead. */
export class ValueError extends Error {
  override readonly name = 'ValueError'
}

/** Throws a ValueError which says that the value is not one that Debezium sends for the type. */
export function refuse(type: string, wire: unknown): never {
  throw new ValueError(`${JSON.stringify(wire)?.slice(0, 80)} is not a ${type} that can be carried exactly`)
}
