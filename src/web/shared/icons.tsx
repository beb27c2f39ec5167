// Line icons on a grid of 16; all of them go with a text or a label.
const kPaths = {
  sun: 'M8 4.8a3.2 3.2 0 1 0 0 6.4a3.2 3.2 0 0 0 0-6.4M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
  file: 'M4 1.5h5l3.5 3.5v9.5h-8.5zM9 1.5v3.5h3.5',
  folder: 'M1.5 3.5h4.5l1.5 2h7v8h-13z',
  link: 'M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5l-1.5 1.5M9 11.5l-1.5 1.5a3 3 0 0 1-4.5-4.5l1.5-1.5',
  up: 'M8 13.5v-11M3.5 7l4.5-4.5l4.5 4.5',
  down: 'M8 2.5v11M3.5 9l4.5 4.5l4.5-4.5',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  check: 'M2.5 8.5l3.5 3.5l7.5-8',
  warning: 'M8 2l6.5 11.5h-13zM8 6.5v3.5M8 11.8v.4',
  error: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M8 4.5v4.5M8 11v.5',
  menu: 'M2 4h12M2 8h12M2 12h12',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'M4.5 2.5v11l8.5-5.5z',
  retry: 'M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3',
  upload: 'M8 10.5v-8.5M4.5 5.5l3.5-3.5l3.5 3.5M2 10.5v3.5h12v-3.5',
  download: 'M8 2v8.5M4.5 7l3.5 3.5l3.5-3.5M2 10.5v3.5h12v-3.5',
  rename: 'M2 14l.8-3.5l8.2-8.2l2.7 2.7l-8.2 8.2z',
  move: 'M2 8h11M9 4l4 4l-4 4',
  trash: 'M2.5 4h11M6 4v-2h4v2M4 4l.7 10h6.6l.7-10',
  search: 'M7 2a5 5 0 1 0 0 10a5 5 0 0 0 0-10M10.7 10.7l3.8 3.8',
  signOut: 'M6 2h-4v12h4M6.5 8h8M11 4.5l3.5 3.5l-3.5 3.5',
  next: 'M6 3l5 5l-5 5',
};

export type IconName = keyof typeof kPaths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={kPaths[name]} />
    </svg>
  );
}
