/** The result of one check. A `problem` keeps the source from being captured, `advice` does not. */
export type Finding = { level: 'ok' | 'advice' | 'problem'; subject: string; state: string; fix: string | null }

/** A finding for which nothing has to be done. */
export const ok = (subject: string, state: string): Finding => ({ level: 'ok', subject, state, fix: null })

/** A finding to know or to change, which does not keep the source from being captured. */
export const advice = (subject: string, state: string, fix: string): Finding => ({
  level: 'advice',
  subject,
  state,
  fix,
})

/** A finding that keeps the source from being captured. */
export const problem = (subject: string, state: string, fix: string): Finding => ({
  level: 'problem',
  subject,
  state,
  fix,
})
