/** An outcome: what was asked for was not done, with the reason, and what helps. */
export type Refusal = { readonly refused: string; readonly hint: string | null }
