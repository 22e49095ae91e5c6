/** How an invocation or an initialization ended when the platform ended it, not the handler. */
export type PlatformStatus = 'timeout' | { errorType: string }

/** The content of a REPORT line. */
export type InvocationReport = {
  requestId: string
  durationMs: number
  /** Set when the invocation had to wait for a new process. */
  initMs?: number
  memoryMb: number
  peakBytes: number
  status?: PlatformStatus
}

/** The line that AWS writes at the start of an invocation. */
export function startLine(requestId: string): string {
  return `START RequestId: ${requestId} Version: $LATEST`
}

/** The lines END and REPORT. Since August 2025 the initialization is billed, too. */
export function endLines({ requestId, durationMs, initMs, memoryMb, peakBytes, status }: InvocationReport): string {
  const fields = [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${durationMs.toFixed(2)} ms`,
    `Billed Duration: ${Math.ceil(durationMs + (initMs ?? 0))} ms`,
    `Memory Size: ${memoryMb} MB`,
    `Max Memory Used: ${Math.ceil(peakBytes / 2 ** 20)} MB`,
    ...(initMs === undefined ? [] : [`Init Duration: ${initMs.toFixed(2)} ms`]),
    ...statusFields(status),
  ]
  return `END RequestId: ${requestId}\n${fields.join('\t')}`
}

/** The line for a process that does not initialize. */
export function initReportLine(durationMs: number, status: PlatformStatus): string {
  return [`INIT_REPORT Init Duration: ${durationMs.toFixed(2)} ms`, 'Phase: init', ...statusFields(status)].join('\t')
}

/** The line in Lambda's log. In Lambda's answer the same text begins with `RequestId: … Error:`. */
export function timedOutLine(requestId: string, timeoutSeconds: number): string {
  return `${new Date().toISOString()} ${requestId} ${timedOut(timeoutSeconds)}`
}

/** `Task timed out after 3.00 seconds`. */
export function timedOut(timeoutSeconds: number): string {
  return `Task timed out after ${timeoutSeconds.toFixed(2)} seconds`
}

/** How a process ended. Signals have Go's names, because Lambda's own init process is written in Go. */
export function exitReason(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `Runtime exited with error: signal: ${signalNames[signal] ?? signal}`
  return code === 0 ? 'Runtime exited without providing a reason' : `Runtime exited with error: exit status ${code}`
}

const signalNames: Partial<Record<NodeJS.Signals, string>> = {
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGILL: 'illegal instruction',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault',
  SIGTERM: 'terminated',
  SIGTRAP: 'trace/breakpoint trap',
}

function statusFields(status: PlatformStatus | undefined): string[] {
  if (status === undefined) return []
  return status === 'timeout' ? ['Status: timeout'] : ['Status: error', `Error Type: ${status.errorType}`]
}
