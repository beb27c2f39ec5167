// A field that narrows a list to what contains a text.
interface Props {
  label: string;
  value: string;
  change: (text: string) => void;
}

export function Filter({ label, value, change }: Props) {
  return <input type="search" class="filter" aria-label={label} placeholder={label} value={value} onInput={(event) => change(event.currentTarget.value)} />;
}

export function contains(text: string, wanted: string): boolean {
  return text.toLowerCase().includes(wanted.trim().toLowerCase());
}
