/** The look of every page: no scripts, no fonts or pictures from elsewhere, light and dark by the reader's setting. */
export const style = `
:root { color-scheme: light dark; --ink: light-dark(#1c2333, #eef0f6); --soft: light-dark(#586176, #a8b0c3); --line: light-dark(#dde1ea, #363d4f);
  --ground: light-dark(#f5f6fa, #12151d); --card: light-dark(#fff, #1b202c); --accent: light-dark(#3b3fd8, #9aa0ff); --on-accent: light-dark(#fff, #10121f);
  --good: light-dark(#0b6b46, #6fdcab); --good-ground: light-dark(#e3f5ec, #14352a); --bad: light-dark(#b3202c, #ff9a9f); --bad-ground: light-dark(#fdebec, #3b1a1e);
  --wait: light-dark(#835100, #f0c069); --wait-ground: light-dark(#fdf1d9, #38290f); font: 16px/1.5 system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: space-between; padding: .7rem 1.25rem; border-bottom: 1px solid var(--line); background: var(--card); font-size: .875rem; }
header a { color: inherit; font-weight: 650; text-decoration: none; }
main { max-width: 66rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; } main.narrow { max-width: 30rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .4rem; letter-spacing: -.01em; } h2 { font-size: 1.1rem; margin: 0 0 .75rem; } p { margin: .5rem 0; }
a { color: var(--accent); } h1 + .soft { margin: 0 0 1.25rem; } .soft { color: var(--soft); } .small { font-size: .875rem; } .total { font-size: 2.2rem; font-weight: 700; letter-spacing: -.02em; margin: .25rem 0 1rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.25rem 2.5rem; align-items: start; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; margin: 0 0 1.25rem; } .columns.uneven { grid-template-columns: minmax(0, 1fr); } .columns > .card, .columns > div > .card:last-child { margin: 0; }
@media (min-width: 60rem) { .columns.uneven { grid-template-columns: 20rem minmax(0, 1fr); } }
.row { display: flex; gap: .75rem; flex-wrap: wrap; align-items: end; } .row > * { flex: 1 1 8rem; } .row > label { flex-basis: 14rem; } .row > button { flex: 0 1 auto; margin-top: 0; width: auto; } .between { display: flex; gap: .5rem 1rem; flex-wrap: wrap; justify-content: space-between; align-items: baseline; }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; font-size: .8125rem; font-weight: 600; background: var(--wait-ground); color: var(--wait); white-space: nowrap; }
.badge.good { background: var(--good-ground); color: var(--good); } .badge.bad { background: var(--bad-ground); color: var(--bad); } .badge.plain { background: var(--ground); color: var(--soft); }
.message { border-radius: .5rem; padding: .7rem .9rem; margin: 0 0 1rem; background: var(--good-ground); color: var(--good); } .message.bad { background: var(--bad-ground); color: var(--bad); }
label { display: block; margin-top: .9rem; font-size: .875rem; font-weight: 600; } label .soft { font-weight: 400; }
input, select { display: block; width: 100%; margin-top: .25rem; padding: .6rem .75rem; font: inherit; font-size: 1rem; font-weight: 400; color: inherit; background: light-dark(#fff, #141822); border: 1px solid light-dark(#8a93a8, #6a748c); border-radius: .5rem; }
input[aria-invalid] { border-color: var(--bad); } ::placeholder { color: var(--soft); opacity: 1; } .wrong { margin: .3rem 0 0; font-size: .875rem; color: var(--bad); }
button, .button { display: block; width: 100%; margin-top: 1.25rem; padding: .7rem 1.1rem; font: inherit; font-weight: 650; color: var(--on-accent); background: var(--accent); border: 1px solid transparent; border-radius: .5rem; cursor: pointer; }
a.button { text-align: center; text-decoration: none; } button.plain, .button.plain { color: inherit; background: transparent; border-color: light-dark(#8a93a8, #6a748c); } a.button.danger, button.danger { color: var(--bad); background: transparent; border-color: currentColor; } button:hover, .button:hover { filter: brightness(1.08); } button.plain:hover, .button.plain:hover, .danger:hover { background: var(--ground); filter: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
fieldset { border: 0; padding: 0; margin: .9rem 0 0; min-width: 0; } legend { padding: 0; font-size: .875rem; font-weight: 600; } summary { cursor: pointer; } details { margin-top: 1rem; } details table { font-size: .875rem; margin-top: .5rem; }
.choice { display: flex; gap: .6rem; align-items: center; margin-top: .5rem; padding: .65rem .75rem; border: 1px solid var(--line); border-radius: .5rem; font-size: 1rem; } .choice input { width: auto; margin: 0; accent-color: var(--accent); }
form:has([value=card]:checked) .sepa, form:has([value=sepa]:checked) .of-card { display: none; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; } td, th { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; } th { font-weight: 600; font-size: .8125rem; color: var(--soft); } tr:last-child td { border-bottom: 0; }
td:last-child, th:last-child { padding-right: 0; } .money { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; } tr.sum td { font-weight: 700; } .nowrap { white-space: nowrap; }
.scroll { overflow-x: auto; } code { font: .875em ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
`;
