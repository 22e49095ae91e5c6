import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Where Chromium usually is. */
const usual = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** The path of the browser that tests use: `TIDEMARK_CHROMIUM`, or where Chromium usually is. Undefined if there is none. */
export function findChromium(): string | undefined {
  return process.env['TIDEMARK_CHROMIUM'] ?? usual.find(existsSync)
}

/** Starts it without a window. It asks no server by itself. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
  return chromium.launch({ executablePath, headless: true, args })
}
