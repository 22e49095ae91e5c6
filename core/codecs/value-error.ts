/** A value that cannot be carried exactly: the table stops rather than hold another value. */
export class ValueError extends Error {
  override readonly name = 'ValueError'
}

/** Throws the ValueError of a value that is not what Debezium sends for the type. */
export function refuse(type: string, wire: unknown): never {
  throw new ValueError(`${JSON.stringify(wire)?.slice(0, 80)} is not a ${type} that can be carried exactly`)
}
