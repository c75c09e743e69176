/** How the page of a bundle looks: calm, on paper too, in light and dark. Part of what is compared byte for byte. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #566072; --line: #d5dae2; --paper: #ffffff; --band: #f4f6f9; --good: #1b6e3c; --bad: #a32020; --warn: #7a5200; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #a3adbb; --line: #39424f; --paper: #14181e; --band: #1c222a; --good: #6fcf97; --bad: #ff8f8f; --warn: #e6b85c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.5rem; font-size: 1.2rem; }
p { margin: 0.5rem 0; max-width: 46rem; }
.over { margin: 0 0 0.25rem; color: var(--soft); }
.end { font-weight: 600; }
.succeeded, .reached, .approved, .kept { color: var(--good); }
.failed, .lost, .missed, .rejected { color: var(--bad); }
.undone, .cancelled, .skipped { color: var(--warn); }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 0.9rem; }
caption { padding: 0.25rem 0; text-align: left; color: var(--soft); }
th, td { padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; min-width: 5rem; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid var(--line); color: var(--soft); font-weight: 600; }
tbody th { font-weight: 600; }
ul { margin: 0; padding: 0; list-style: none; }
pre, code { font: 0.85rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
pre { margin: 0; padding: 1rem; background: var(--band); border: 1px solid var(--line); }
.sign { padding: 0 0.15em; border: 1px solid var(--line); color: var(--soft); font-size: 0.8em; }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #999; --paper: #fff; --band: #fff; --good: #000; --bad: #000; --warn: #000; }
  main { max-width: none; padding: 0; }
  body { font-size: 10pt; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
  .wide { overflow: visible; }
}
`;
