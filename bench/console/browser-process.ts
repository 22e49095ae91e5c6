import { getPriority } from 'node:os'
import { join } from 'node:path'
import { findChromium } from '#test-support/console/browser.ts'
import type { BrowserCalls } from './browser-program.ts'
import { type ProgramProcess, startProgram } from './program-process.ts'

/** The group as which the browser's processes count. */
export const BROWSER = 'Chromium'

/** Chromium with the program that drives it. */
export type BrowserProcess = ProgramProcess<BrowserCalls>

const LOWEST = 19

/**
 * Starts Chromium. It measures, and gets what nothing else needs of the processor if it `yields`. Throws an Error if
 * there is none.
 */
export function startBrowser({ yields = false } = {}): BrowserProcess {
  const executable = findChromium()
  if (executable === undefined)
    throw new Error('There is no Chromium in its usual places: TIDEMARK_CHROMIUM says where one is.')
  const niceness = yields ? LOWEST : getPriority()
  return startProgram<BrowserCalls>(join(import.meta.dirname, 'browser-program.ts'), [executable, String(niceness)])
}
