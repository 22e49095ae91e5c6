import type { ComponentChildren } from 'preact'

type HeadingProps = {
  readonly title: ComponentChildren
  /** The screen above it, such as the list that it belongs to. */
  readonly above?: { readonly href: string; readonly name: string }
  /** Beside the title, such as its state. */
  readonly note?: ComponentChildren
  /** Buttons at the end. */
  readonly children?: ComponentChildren
}

/** The heading of a screen, which takes the focus when the screen is opened. */
export const Heading = ({ title, above, note, children }: HeadingProps) => (
  <div class="heading">
    <div class="heading-text">
      {above !== undefined && (
        <a class="above" href={above.href}>
          {above.name}
          <span aria-hidden="true"> /</span>
        </a>
      )}
      <h1 tabIndex={-1}>{title}</h1>
      {note !== undefined && <span class="heading-note">{note}</span>}
    </div>
    {children !== undefined && <div class="heading-buttons">{children}</div>}
  </div>
)
