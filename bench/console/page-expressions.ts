// What is looked at in a page, as expressions that the browser evaluates.

/** When the overview was drawn, in milliseconds since the navigation began. */
export type LoadTimes = {
  /** The first paint that has any content. */
  readonly firstPaintMs: number
  /** The figures are there, and no panel still waits for its content. */
  readonly completeMs: number
  /** The chart of throughput is drawn, for which the page needs two snapshots. */
  readonly chartsMs: number
}

const LOADED_WITHIN_MS = 120_000

/**
 * Looks at the overview once a frame, from the beginning of the document. It runs before the scripts of the page, and
 * `loadTimes` waits for its result.
 */
export const watchOverview = `globalThis.benchLoad = new Promise((resolve, reject) => {
  const titles = ['Pipeline', 'Commit to visible', 'Throughput', 'Components']
  const panelOf = (title) => document.querySelector('section.panel[aria-label="' + title + '"]')
  const hasContent = (panel) => panel !== null && panel.childElementCount > 1 && panel.querySelector('.waiting') === null
  let completeMs
  const giveUpAt = performance.now() + ${LOADED_WITHIN_MS}
  const look = () => {
    const panels = titles.map(panelOf)
    const isComplete = document.querySelector('dl.figures') !== null && panels.every(hasContent)
    if (isComplete) completeMs ??= performance.now()
    if (performance.now() > giveUpAt) return reject(new Error('the overview is not complete: ' + document.body.innerText))
    if (!isComplete || panels[2].querySelector('.empty') !== null) return requestAnimationFrame(look)
    const [paint] = performance.getEntriesByName('first-contentful-paint')
    resolve({ firstPaintMs: paint.startTime, completeMs, chartsMs: performance.now() })
  }
  requestAnimationFrame(look)
})`

/** The result of `watchOverview`. It rejects with the text of the page if that is not complete within two minutes. */
export const loadTimes = 'benchLoad'

const SEEN_WITHIN_MS = 120_000

/** Notes when a row of the list has a text. `timeSeen` waits for it. */
export const watchList = (text: string): string => `void (globalThis.benchSeen = new Promise((resolve, reject) => {
  const isThere = () =>
    Array.from(document.querySelectorAll('.virtual-row')).some((row) => row.textContent.includes(${JSON.stringify(text)}))
  setTimeout(() => reject(new Error('the list does not show ${text}: ' + document.body.innerText)), ${SEEN_WITHIN_MS})
  const observer = new MutationObserver(() => {
    if (!isThere()) return
    observer.disconnect()
    resolve(Date.now())
  })
  observer.observe(document.body, { subtree: true, childList: true, characterData: true })
}))`

/** When the text of `watchList` was in the list, in milliseconds since 1970. */
export const timeSeen = 'benchSeen'

/** A page that is not seen asks nothing, so its figures would be those of a page that does nothing. */
export const isVisible = `document.visibilityState === 'visible'`

/** What the live list says of itself, such as `live`, and the height of all its rows in pixels. */
export const tailState = `({
  says: document.querySelector('.live-panel .panel-beside')?.innerText.replace(/\\s+/g, ' ') ?? 'not there',
  height: document.querySelector('.live-panel .virtual-height')?.clientHeight ?? 0,
})`
