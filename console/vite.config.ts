import { join } from 'node:path'
import { defineConfig } from 'vite'

/** Where `npx vite build console` writes the page, if it is run by hand. `build.ts` names another folder. */
const outDir = join(import.meta.dirname, '../.tidemark/console')

/** How the page is built: one script and one style sheet, which refer to nothing of another host. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  logLevel: 'error',
  // Tests build the same page, although they run with another NODE_ENV.
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact', development: false } },
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2023',
    // A polyfill would be a second script in the page, and every browser of the target preloads by itself.
    modulePreload: { polyfill: false },
    // The content security policy of the page forbids fonts and images from data in style sheets.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
})
