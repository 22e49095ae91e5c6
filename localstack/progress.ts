/** One step of starting or stopping, e.g. `{ step: 'kafka', state: 'healthy', detail: '1.3 s' }`. */
export type Progress = {
  step: string
  state: 'starting' | 'healthy' | 'failed'
  detail?: string
}

/** Runs `work` as a named step; `tell` adds what is known meanwhile. */
export type Step = <T>(name: string, work: (tell: (detail: string) => void) => Promise<T>) => Promise<T>

/** Steps that report when they start, when they are done and how long that took. */
export function makeSteps(onProgress: (progress: Progress) => void): Step {
  return async (step, work) => {
    const startedAt = performance.now()
    onProgress({ step, state: 'starting' })
    let told = ''
    try {
      const result = await work((detail) => {
        told = detail
        onProgress({ step, state: 'starting', detail })
      })
      const took = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
      onProgress({ step, state: 'healthy', detail: told ? `${told}, ${took}` : took })
      return result
    } catch (error) {
      onProgress({ step, state: 'failed' })
      throw error
    }
  }
}
