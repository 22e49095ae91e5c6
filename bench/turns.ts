/**
 * The order of what is compared in a turn, counted from 1: every second turn goes backwards. What changes meanwhile, such as
 * the load of the machine or the size of the history, then comes as often before one as before the other.
 */
export const orderOfTurn = <T>(turn: number, compared: readonly T[]): T[] =>
  turn % 2 === 1 ? [...compared] : compared.toReversed()
