import { archive } from './archive/command.ts'
import type { BenchCommand } from './bench-command.ts'
import { cold } from './cold/command.ts'
import { console } from './console/command.ts'
import { drain } from './drain/command.ts'
import { growth } from './growth/command.ts'
import { limit } from './limit/command.ts'
import { live } from './live/command.ts'
import { start } from './start/command.ts'
import { windows } from './windows/command.ts'

/** All measurements, in the order of the report. */
export const commands: readonly BenchCommand[] = [drain, live, growth, archive, windows, console, start, cold, limit]
