/** What the demo prints: sections, notes, tables. Colour only where a terminal shows it. */
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export class Screen {
  readonly #startedAt = Date.now();
  #section = 0;

  title(text: string): void {
    this.line(paint('bold', text));
  }

  /** A numbered section, with the time since the start. */
  section(text: string): void {
    this.#section += 1;
    const at = `${((Date.now() - this.#startedAt) / 1000).toFixed(0)} s`;
    this.line(`\n${paint('bold', `${this.#section}  ${text}`)}  ${paint('dim', at)}\n`);
  }

  note(text: string): void {
    this.line(paint('dim', `   ${text}`));
  }

  command(text: string): void {
    this.line(`${paint('cyan', '$')} ${text}`);
  }

  line(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** Columns as wide as their widest cell; numbers are the caller's text. */
  table(rows: readonly (readonly string[])[]): void {
    const columns = Math.max(...rows.map((row) => row.length));
    const widths = Array.from({ length: columns }, (_, column) =>
      Math.max(...rows.map((row) => (row[column] ?? '').length)),
    );
    for (const row of rows) {
      const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
      this.line(`   ${cells.join('  ').trimEnd()}`);
    }
  }
}

export function megabytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib >= 1024 ? `${(mib / 1024).toFixed(2)} GiB` : `${mib.toFixed(1)} MiB`;
}

export function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}
