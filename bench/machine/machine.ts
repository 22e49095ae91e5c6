import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'
import { repository } from '#localstack/settings.ts'

/** The machine of a measurement, and how busy it was before. */
export type Machine = {
  readonly cores: number
  readonly processor: string
  readonly memoryGb: number
  readonly platform: string
  readonly node: string
  /** The commit of the checkout, followed by `+` when files differed from it. */
  readonly commit: string
  /** Load average of the last minute before the measurement began. */
  readonly loadBefore: number
}

export function describeMachine(): Machine {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    commit: commitOfCheckout(),
    loadBefore: currentLoad(),
  }
}

/** Load average of the last minute. */
export const currentLoad = (): number => Math.round(loadavg()[0]! * 100) / 100

/** The commit of the checkout; a copy without git has none. */
function commitOfCheckout(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: repository, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    const commit = git('rev-parse', '--short=10', 'HEAD')
    return git('status', '--porcelain', '--untracked-files=no') === '' ? commit : `${commit}+`
  } catch {
    return 'unknown'
  }
}
