/** Names and values that a page has to show exactly, without being broken or deceived by them. */
export const hostile = {
  markup: '<img src=x onerror=alert(1)>',
  override: 'invoice\u202egpj.exe',
  controls: 'a\u0000b\u0007c\td\ne\u001b[31mred',
  spaces: ' before and after\u00a0 ',
  emoji: '👩‍👩‍👧 naïve ❤️',
  long: 'a_very_long_name_of_a_column_that_was_generated_by_some_tool_and_that_nobody_ever_shortens_x',
  wide: '東京都港区の注文テーブル',
  arabic: 'طلب رقم ٧',
  quotes: `O'Reilly "& Sons" \\ `,
} as const

/** A table with a name that breaks pages. */
export const HOSTILE_TABLE = `public.${hostile.markup}`
