/** The report's looks: one column, contents beside it on wide screens, light and dark. */
export const REPORT_STYLE = `
:root { color-scheme: light; --bg: #fff; --fg: #1a1a1a; --mute: #555; --line: #e0e0e0; --rule: #777; --main: #eef5fa; --soft: #f6f7f8; --link: #0067a3; }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) { color-scheme: dark; --bg: #15181c; --fg: #e4e6e8; --mute: #a3a9b0; --line: #30363d; --rule: #6b737c; --main: #1d2d3a; --soft: #1c2126; --link: #6cb8ee; } }
:root[data-theme="dark"] { color-scheme: dark; --bg: #15181c; --fg: #e4e6e8; --mute: #a3a9b0; --line: #30363d; --rule: #6b737c; --main: #1d2d3a; --soft: #1c2126; --link: #6cb8ee; }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
main { width: 100%; max-width: 1120px; margin: 0 auto; padding: 24px 32px 64px; min-width: 0; }
a { color: var(--link); }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 2px solid var(--fg); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p, li { max-width: 48rem; }
.sub { color: var(--mute); margin: 0 0 1rem; overflow-wrap: anywhere; }
nav { font-size: .9rem; }
nav ol { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .2rem .6rem; text-decoration: none; color: var(--fg); border-left: 3px solid transparent; }
nav a:hover { background: var(--soft); }
nav a.here { border-color: var(--link); font-weight: 600; }
.look { font: inherit; font-size: .85rem; margin: .6rem; padding: .15rem .6rem; color: var(--fg); background: var(--soft); border: 1px solid var(--line); border-radius: 4px; cursor: pointer; }
@media (min-width: 1160px) {
  body { display: grid; grid-template-columns: 200px minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 28px 0 16px 12px; border-right: 1px solid var(--line); }
}
@media (max-width: 1159px) {
  nav { position: sticky; top: 0; z-index: 5; background: var(--bg); border-bottom: 1px solid var(--line); display: flex; align-items: center; overflow-x: auto; padding: 0 1rem; }
  nav ol { display: flex; white-space: nowrap; flex: 1; }
  nav a { border-left: 0; border-bottom: 3px solid transparent; padding: .5rem .6rem; }
  .look { flex: none; }
  html { scroll-padding-top: 3.2rem; }
}
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(290px, 1fr)); gap: 12px; margin: 1rem 0 1.5rem; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 10px 14px; background: var(--soft); }
.card b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { display: block; font-size: .85rem; }
.card i { display: block; font-style: normal; font-size: .8rem; color: var(--mute); margin-top: .2rem; }
figure { margin: 1.25rem 0 1.75rem; }
.ft { font-weight: 600; margin: 0 0 .1rem; max-width: none; }
figcaption { font-size: .88rem; color: var(--mute); max-width: 52rem; }
.plot { width: 100%; }
.fallback { padding: 1rem; border: 1px dashed var(--rule); color: var(--mute); }
.table { overflow-x: auto; margin: .75rem 0 1.25rem; }
table { border-collapse: separate; border-spacing: 0; font-size: .88rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .88rem; color: var(--mute); padding-bottom: .35rem; max-width: 52rem; }
th, td { padding: .28rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td { overflow-wrap: break-word; }
td:nth-child(2):last-child { overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid var(--rule); vertical-align: bottom; }
tbody th { font-weight: 400; position: sticky; left: 0; background: var(--bg); min-width: 11rem; max-width: 22rem; }
.n { text-align: right; }
td.n { white-space: nowrap; }
tr.main th, tr.main td { font-weight: 650; background: var(--main); }
details { margin: .5rem 0 1rem; }
summary { cursor: pointer; color: var(--link); font-size: .92rem; }
code { font-size: .88em; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .75rem 1rem; overflow-x: auto; font-size: .85rem; }
@media (max-width: 700px) {
  main { padding: 16px; }
  h1 { font-size: 1.45rem; }
  th, td { padding: .25rem .45rem; }
  table, caption { font-size: .82rem; }
  caption { position: sticky; left: 0; width: calc(100vw - 32px); }
  tbody th { min-width: 6.5rem; max-width: 9.5rem; }
}
@media print {
  /* Figures keep the width that they were drawn with; the page as a whole is made to fit A4. */
  :root, :root:not([data-theme="light"]), :root[data-theme="dark"] { color-scheme: light; --bg: #fff; --fg: #1a1a1a; --mute: #555; --line: #e0e0e0; --rule: #777; --main: #eef5fa; --soft: #f6f7f8; }
  body { display: block; zoom: .6; }
  nav { display: none; }
  main { width: 1120px; max-width: none; padding: 0; }
  figure, table, .card { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
`;
