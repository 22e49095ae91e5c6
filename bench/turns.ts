/**
 * The order of the compared systems in a turn, counted from 1: every second turn is reversed. The load of the machine,
 * the size of the history and other things change during the measurement. With alternating orders they affect all
 * systems alike.
 */
export const orderOfTurn = <T>(turn: number, compared: readonly T[]): T[] =>
  turn % 2 === 1 ? [...compared] : compared.toReversed()
