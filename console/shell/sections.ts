/** A section of the page: the first segment of its path, its name, and the path of its icon in a square of 16. */
export type Section = { readonly path: string; readonly name: string; readonly icon: string }

/** The sections in groups, as they are listed beside the content. */
export const sections: readonly { readonly group: string; readonly sections: readonly Section[] }[] = [
  {
    group: 'State',
    sections: [
      { path: '', name: 'Overview', icon: 'M2 9.500 6 5l3 3.500L14 3M2 13.500h12' },
      { path: 'tables', name: 'Tables', icon: 'M2 3h12v10H2zM2 6.500h12M2 9.800h12M6.500 6.500V13' },
      {
        path: 'changes',
        name: 'Changes',
        icon: 'M2 5h10M9.500 2.500 12 5 9.500 7.500M14 11H4M6.500 8.500 4 11l2.500 2.500',
      },
      { path: 'equality', name: 'Equal?', icon: 'M3 6h10M3 10h10' },
    ],
  },
  {
    group: 'Transport',
    sections: [
      { path: 'topics', name: 'Topics', icon: 'M2 4h12M2 8h12M2 12h8' },
      { path: 'connectors', name: 'Connectors', icon: 'M5 2v4M11 2v4M3.500 6h9v2a4.500 4.500 0 0 1-9 0zM8 12.500V15' },
      { path: 'consumers', name: 'Consumers', icon: 'M2 3h5v10H2zM9 8h5M11.500 5.500 14 8l-2.500 2.500' },
    ],
  },
  {
    group: 'Results',
    sections: [
      { path: 'archive', name: 'Archive', icon: 'M2 3h12v3H2zM3 6v7h10V6M6.500 9h3' },
      { path: 'windows', name: 'Windows', icon: 'M2 13V8h3v5M6.500 13V4h3v9M11 13V6h3v7' },
    ],
  },
  {
    group: 'Work',
    sections: [
      { path: 'quarantine', name: 'Quarantine', icon: 'M8 2 14.500 13.500h-13zM8 6.500v3M8 11.300v.7' },
      { path: 'actions', name: 'Actions log', icon: 'M3 2.500h10v11H3zM5.500 6h5M5.500 8.500h5M5.500 11h3' },
    ],
  },
]
