/** What every JVM of the stack is started with; `heapMb` is its limit, so the whole stack stays within its memory. */
export function javaOptions({ heapMb }: { heapMb: number }): string[] {
  return [
    `-Xmx${heapMb}m`,
    // A heap that has grown with a load is given back to the laptop afterwards.
    '-XX:MinHeapFreeRatio=10',
    '-XX:MaxHeapFreeRatio=30',
    '-XX:+UseSerialGC',
    // A worker that is out of memory would otherwise linger, alive but deaf; the supervisor restarts one that ends.
    '-XX:+ExitOnOutOfMemoryError',
    // Java 17 takes it from the locale, and a shell without one would write question marks.
    '-Dfile.encoding=UTF-8',
    '-Djava.awt.headless=true',
    '-Djava.net.preferIPv4Stack=true',
  ]
}
