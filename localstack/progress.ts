/** One step of starting or stopping, such as `{ step: 'kafka', state: 'healthy', detail: '1.3 s' }`. */
export type Progress = {
  step: string
  state: 'starting' | 'healthy' | 'failed'
  detail?: string
}

/** Adds a detail to a step that is under way. A detail that is `passing` is not shown when the step is done. */
export type Report = (detail: string, passing?: 'passing') => void

/** Makes each detail one that is shown only while the step is under way. */
export const whileUnderWay =
  (report: Report) =>
  (detail: string): void =>
    report(detail, 'passing')

/** Runs `work` as a named step. */
export type Step = <T>(name: string, work: (report: Report) => Promise<T>) => Promise<T>

/** Makes steps that report when they start, when they are done and how long that took. */
export function makeSteps(onProgress: (progress: Progress) => void): Step {
  return async (step, work) => {
    const startedAt = performance.now()
    onProgress({ step, state: 'starting' })
    let lasting = ''
    try {
      const result = await work((detail, passing) => {
        if (passing === undefined) lasting = detail
        onProgress({ step, state: 'starting', detail })
      })
      const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
      onProgress({ step, state: 'healthy', detail: lasting ? `${lasting}, ${took}` : took })
      return result
    } catch (error) {
      onProgress({ step, state: 'failed' })
      throw error
    }
  }
}
