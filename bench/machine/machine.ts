import { execFileSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'
import { repository } from '#localstack/settings.ts'

/** What a measurement ran on, and how busy that was before it. */
export type Machine = {
  readonly cores: number
  readonly processor: string
  readonly memoryGb: number
  readonly platform: string
  readonly node: string
  /** Of the checkout, `+` behind it where files differed from it. */
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

/** A copy without git has none. */
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
