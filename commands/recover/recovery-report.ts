import type { Recovery } from './recovery-call.ts'

/** A report of what happened, what will be done, and what readers see until then. */
export function describePlan({ diagnosis, steps }: Recovery, isAskedFor = false): string {
  const { findings } = diagnosis
  if (findings.length === 0 && steps.length === 0) return 'Nothing is wrong with capture.'
  const found = findings.flatMap(({ cause, follows, action, readers }, index) => [
    ...(index > 0 ? [''] : []),
    `What happened    ${sentence(cause)}`,
    `What follows     ${sentence(follows)}`,
    `What is done     ${sentence(action)}`,
    `Readers          ${sentence(readers)}`,
  ])
  const wanted =
    isAskedFor && findings.length === 0 ? ['Nothing is wrong with capture; a new epoch was asked for.'] : []
  const planned =
    steps.length === 0
      ? ['Tidemark can do nothing about it.']
      : ['Steps', ...steps.map(({ what }, index) => `  ${index + 1}. ${what}`)]
  return [...wanted, ...found, '', ...planned].join('\n')
}

/** A report of the steps that were done, and of the step that failed. */
export function describeSteps(steps: Recovery['steps']): string {
  const lines = steps.map(({ what, done, error }) => {
    if (done) return `done      ${what}`
    return error === undefined ? `not done  ${what}` : `failed    ${what}: ${error}`
  })
  const failed = steps.some(({ done }) => !done)
  return [
    ...lines,
    ...(failed ? ['Run npm run recover again once the cause is gone: it goes on where it stopped.'] : []),
  ].join('\n')
}

/** Adds a capital letter at the beginning and a full stop at the end. */
const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
