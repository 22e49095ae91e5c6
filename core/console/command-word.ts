/** A word of a command for a shell, quoted if necessary. */
export const commandWord = (word: string): string =>
  /^[\w.@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
