import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type ProcessorSeconds, type ProcessorWatch, watchProcessors } from '../machine/processes.ts'
import type { MeasuredStack } from '../measured-stack.ts'
import { COUNTED, COUNTING, type ProbeFindings, type ProbeLoad } from './probe.ts'

/** Runs the probe in a process of its own, and counts processor time while the probe counts. */
export async function runProbe(
  { grouping, count }: MeasuredStack,
  load: ProbeLoad,
): Promise<{ findings: ProbeFindings; processors: ProcessorSeconds }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'probe.ts'), JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const uncount = count('measurement', () => child.pid)
  const ended = once(child, 'exit')
  let watch: ProcessorWatch | undefined
  let processors: ProcessorSeconds | undefined
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === COUNTING) watch = watchProcessors(grouping)
    else if (line === COUNTED) processors = watch?.stop()
    else last = line
  }
  const [code] = await ended
  uncount()
  if (code !== 0 || processors === undefined) throw new Error(`the probe ended with exit code ${code}`)
  return { findings: JSON.parse(last) as ProbeFindings, processors }
}
