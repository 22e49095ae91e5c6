import { shortName } from '#core/status/components.ts'
import type { Progress } from '#localstack/engine.ts'
import type { ProgressLine } from '#terminal/progress-line.ts'
import type { Style } from '#terminal/style.ts'

/** Shows the steps of a start: a line for each that is done, and one line for all that are under way. */
export type StepLog = {
  take(progress: Progress): void
  /** Clears the line of steps that are under way. */
  end(): void
}

export type StepLogOptions = { print: (line: string) => void; underWay: ProgressLine; style: Style }

export function makeStepLog({ print, underWay, style }: StepLogOptions): StepLog {
  const running = new Map<string, string>()
  const showRunning = () => {
    if (running.size === 0) return underWay.clear()
    const steps = [...running].map(([step, detail]) =>
      detail === '' ? shortName(step) : `${shortName(step)} (${detail})`,
    )
    underWay.show(`  starting ${steps.join(', ')}`)
  }
  return {
    take: ({ step, state, detail }) => {
      if (state === 'starting') running.set(step, detail ?? '')
      else {
        running.delete(step)
        underWay.clear()
        const mark = state === 'healthy' ? style.good('✓') : style.bad('✗')
        print(`  ${mark}  ${shortName(step).padEnd(32)}${detail ?? ''}`.trimEnd())
      }
      showRunning()
    },
    end: () => {
      running.clear()
      underWay.clear()
    },
  }
}
