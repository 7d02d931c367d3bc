"""How the console looks: one style sheet, light and dark, on a desk and on a phone.

Palette and type are those of the reports of evals: blue, bluish green, vermilion, amber and purple after Okabe and Ito
(2008, Color Universal Design), darkened or lightened until text in them has a contrast of 4.5 on its ground (WCAG 2.2,
criterion 1.4.3).
"""

from __future__ import annotations

COLOURS = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f6f8fa; --line: #d1d9e0; --edge: #818b95; --track: #e4e9ee;
  --text: #1f2328; --dim: #59636e; --on: #ffffff;
  --blue: #0b62b5; --good: #00705a; --bad: #b23c05; --amber: #855d00; --purple: #84408c;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #0d1117; --raised: #161b22; --line: #30363d; --edge: #767f89; --track: #2a3038;
    --text: #e6edf3; --dim: #9198a1; --on: #0d1117;
    --blue: #5aaaf6; --good: #38c69d; --bad: #ff8e55; --amber: #e0b13f; --purple: #d896dc;
  }
}
.done, .good { color: var(--good) }
.failed, .bad, .refused { color: var(--bad) }
.waiting { color: var(--amber) }
.running { color: var(--blue) }
.skipped, .cancelled, .dim { color: var(--dim) }
"""

TEXT = """
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100%; scrollbar-gutter: stable }
body {
  margin: 0; background: var(--ground); color: var(--text); font-size: 15px; line-height: 1.55;
  font-variant-numeric: tabular-nums;
}
body, button, input, select, textarea {
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
code, pre, .id, textarea.code {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .87em;
}
main { max-width: 72rem; margin: 0 auto; padding: 1.75rem 1.5rem 5rem; outline: 0 }
h1 {
  font-size: 1.7rem; line-height: 1.25; letter-spacing: -.012em; font-weight: 680; margin: 0 0 .25rem;
  text-wrap: balance;
}
h2 { font-size: 1.15rem; font-weight: 650; margin: 0 0 .6rem }
h3 { font-size: .88rem; font-weight: 650; margin: .9rem 0 .25rem }
p { margin: .25rem 0 }
h1, h2, h3, p, dd, li, summary, td, th { overflow-wrap: anywhere }
ul, ol { margin: .25rem 0; padding-left: 1.2rem }
a { color: var(--blue); text-underline-offset: .15em }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; border-radius: 3px }
section { margin-top: 2.5rem }
.lead { color: var(--dim); max-width: 46rem; margin-bottom: 1.1rem }
.crumbs { font-size: .85rem; margin: 0 0 .6rem }
.nothing {
  border: 1px dashed var(--edge); border-radius: 6px; padding: 2rem 1.5rem; text-align: center;
  color: var(--dim); margin: 1.5rem 0;
}
.skip { position: absolute; left: -99rem }
.skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .5rem 1rem; z-index: 3 }
.defs { position: absolute }
.unseen {
  position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; border: 0;
}
.after { margin-top: 2.25rem }
"""

TOP = """
body > header {
  display: flex; align-items: center; gap: .25rem 2rem; max-width: 72rem; margin: 0 auto; padding: .8rem 1.5rem;
  flex-wrap: wrap; position: relative;
}
body > header::after { content: ""; position: absolute; inset: auto 1.5rem 0; border-bottom: 1px solid var(--line) }
.brand { font-weight: 700; letter-spacing: -.01em; color: var(--text); text-decoration: none; font-size: 1.05rem }
nav ul { display: flex; gap: .2rem; list-style: none; margin: 0; padding: 0 }
nav li a {
  display: block; padding: .3rem .75rem; border-radius: 6px; color: var(--text);
  text-decoration: none; font-size: .93rem;
}
nav li a:hover { background: var(--raised) }
nav li [aria-current] { background: var(--track); font-weight: 600 }
.count {
  display: inline-block; min-width: 1.35em; text-align: center; background: var(--amber); color: var(--on);
  border-radius: 1em; font-size: .78rem; font-weight: 650; padding: 0 .4em; margin-left: .45em;
}
.me { margin-left: auto; display: flex; gap: .9rem; align-items: center; font-size: .88rem; color: var(--dim) }
.me .who::before {
  content: ""; display: inline-block; width: .5rem; height: .5rem; border-radius: 50%;
  background: var(--good); margin-right: .5rem; vertical-align: 1px;
}
.me form { margin: 0 }
"""

CONTROLS = """
button {
  font-size: .93rem; line-height: 1.4; padding: .4rem .95rem; border: 1px solid var(--edge); border-radius: 6px;
  background: var(--ground); color: var(--text); cursor: pointer; min-height: 2.25rem;
}
button:hover { background: var(--raised) }
button.main { background: var(--blue); border-color: var(--blue); color: var(--on); font-weight: 600 }
button.main:hover { filter: brightness(1.08) }
button.danger { color: var(--bad); border-color: currentColor }
button.plain {
  border-color: transparent; background: none; color: var(--blue); padding: .2rem .4rem; min-height: 1.75rem;
}
button.plain:hover { text-decoration: underline }
button.small { font-size: .82rem; padding: .15rem .7rem; min-height: 1.75rem; color: var(--dim) }
input, select, textarea {
  font-size: .95rem; line-height: 1.45; color: var(--text); background: var(--ground); border: 1px solid var(--edge);
  border-radius: 6px; padding: .38rem .65rem; width: 100%; min-height: 2.25rem;
}
::placeholder { color: var(--dim); opacity: 1 }
textarea { resize: vertical; field-sizing: content; min-height: 3.6rem; max-height: 60vh }
[aria-invalid] { border-color: var(--bad); border-width: 2px }
label { display: block; font-size: .88rem; font-weight: 600; margin-bottom: .2rem }
label::first-letter, legend::first-letter { text-transform: uppercase }
label .dim { font-weight: 400 }
.field { margin: 0 0 1rem; max-width: 40rem }
.field :is(select, [type=number], [type=date], [type=time], [type=datetime-local]) {
  width: auto; min-width: 12rem; max-width: 100%;
}
.box { margin: 0 0 1rem }
.box input {
  width: 1.15rem; height: 1.15rem; min-height: 0; margin: 0 .5rem 0 0; vertical-align: -3px;
  accent-color: var(--blue);
}
.box label { display: inline-block; margin: 0 }
.note { color: var(--dim); font-size: .85rem; margin: 0 0 .3rem }
.fault { color: var(--bad); font-size: .85rem; font-weight: 600 }
fieldset { border: 0; border-left: 2px solid var(--line); margin: 0 0 1.1rem; padding: 0 0 0 1.1rem; min-width: 0 }
legend { font-size: .95rem; font-weight: 650; padding: 0; margin-bottom: .5rem }
.items { list-style: none; padding: 0; margin: 0 }
.items li { margin-bottom: 1rem }
.items .field { margin-bottom: .4rem }
.items fieldset { margin-bottom: .4rem }
.buttons { display: flex; gap: .75rem; align-items: center; flex-wrap: wrap; margin-top: 1.25rem }
.trouble {
  border: 1px solid var(--bad); border-left-width: 5px; border-radius: 6px; padding: .8rem 1.1rem;
  margin: 0 0 1.25rem;
}
.trouble h2 { font-size: 1rem; color: var(--bad); margin: 0 }
.search { display: flex; gap: .75rem; align-items: flex-end; flex-wrap: wrap; margin: 1.1rem 0 1.25rem }
.search .grow { flex: 1 1 18rem }
.search select { min-width: 8rem }
.search label { font-weight: 400; color: var(--dim); font-size: .8rem }
.starts { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none; padding: 0; margin: .75rem 0 0 }
.starts a {
  display: block; border: 1px solid var(--edge); border-radius: 6px; padding: .3rem .85rem; text-decoration: none;
  color: var(--text); font-size: .9rem;
}
.starts a::before { content: "+"; color: var(--blue); font-weight: 700; margin-right: .45rem }
.starts a:hover { background: var(--raised) }
.pages { display: flex; gap: 1.5rem; justify-content: center; margin-top: 1.25rem }
"""

TABLES = """
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .93rem }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { padding-left: 0 }
th:last-child, td:last-child { padding-right: 0 }
thead th {
  color: var(--dim); font-weight: 500; font-size: .8rem; line-height: 1.3; vertical-align: bottom;
  border-bottom-color: var(--edge); overflow-wrap: normal;
}
tbody th { font-weight: 500; min-width: 9rem }
td p { color: var(--dim) }
td .n, .n { text-align: right; white-space: nowrap }
.k { white-space: nowrap }
:is(th, td) small { display: block; font-weight: 400; color: var(--dim); font-size: .82em }
.choices :is(th, td):nth-child(-n + 2) { width: 7rem }
.runs tbody th a {
  text-decoration: none; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical;
  overflow: hidden;
}
.runs tbody th a:hover { text-decoration: underline }
.runs .thread { max-width: 12rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.pair {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem 3rem;
  margin-top: 1.1rem;
}
dt { color: var(--dim); font-size: .8rem }
dd { margin: 0 }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: .4rem 0 }
.value { border-left: 3px solid var(--track); padding-left: 1rem; display: block; margin: .3rem 0 }
.value > div + div { margin-top: .35rem }
.value dd { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 46rem }
pre {
  background: var(--raised); border-radius: 6px; padding: .7rem .9rem; margin: .3rem 0;
  max-height: 26rem; overflow: auto;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
.tag {
  display: inline-block; background: var(--track); border-radius: 4px; padding: 0 .45rem; margin-right: .3rem;
  font-size: .82rem;
}
"""

RUN = """
.sign { width: 18px; height: 18px; flex: none; vertical-align: -4px }
symbol circle { fill: currentColor }
.stroke { fill: none; stroke: var(--ground); stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }
#sign-running .stroke { fill: var(--ground); stroke: none }
.state { white-space: nowrap; font-weight: 600 }
.status { font-size: 1.05rem; margin: 0 }
form + div > .status { margin: 1.5rem 0 .75rem }
.status .sign { width: 22px; height: 22px; vertical-align: -5px }
.standing {
  display: flex; flex-wrap: wrap; align-items: center; gap: .6rem 2.25rem; border: 1px solid var(--line);
  background: var(--raised); border-radius: 8px; padding: .7rem 1.1rem; margin: 1rem 0 0;
}
.standing .facts { margin: 0; gap: .35rem 1.75rem }
.standing form { margin: 0 0 0 auto }
.ask {
  border: 1px solid var(--amber); border-left-width: 5px; border-radius: 8px; padding: 1rem 1.25rem 1.1rem;
  margin-top: 1.5rem;
}
.ask .facts { margin: .6rem 0 }
.digest { margin-bottom: 1.1rem; font-size: .8rem; overflow-wrap: anywhere }
#graph .wide { border: 1px solid var(--line); border-radius: 8px; max-height: 34rem; overflow: auto }
#graph img { display: block; height: auto; max-width: none; margin: 0 auto }
.said { white-space: pre-wrap; max-width: 46rem; border-left: 3px solid var(--blue); padding-left: 1rem }
.line {
  display: grid; gap: 1rem;
  grid-template-columns: minmax(0, 15rem) minmax(0, 9rem) minmax(6rem, 1fr) 5.5rem 6.5rem 1rem;
  align-items: center; padding: .32rem 0; border-bottom: 1px solid var(--line);
}
.heads { color: var(--dim); font-size: .8rem; border-bottom-color: var(--edge) }
.heads::after { content: "" }
.ticks { display: flex; justify-content: space-between }
.piece > summary { cursor: pointer; list-style: none }
.piece > summary::-webkit-details-marker { display: none }
.piece > summary:hover { background: var(--raised) }
.piece > summary > * { color: var(--text) }
.piece .who, .piece .usd, .piece .took { color: var(--dim); font-size: .9rem }
.piece > summary::after {
  content: ""; width: .45rem; height: .45rem; border: solid var(--dim); border-width: 0 1.5px 1.5px 0;
  transform: rotate(45deg) translate(-2px, -2px); justify-self: center;
}
.piece[open] > summary::after { transform: rotate(225deg) translate(-2px, -2px) }
.piece[open] > summary { border-bottom-color: transparent; font-weight: 600 }
.name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.name .sign { margin-right: .5rem }
.in-1 { padding-left: 1.1rem } .in-2 { padding-left: 2.2rem } .in-3 { padding-left: 3.3rem }
.in-4 { padding-left: 4.4rem } .in-5 { padding-left: 5.5rem } .in-6 { padding-left: 6.6rem }
.track {
  display: block; border-radius: 2px;
  background: linear-gradient(var(--track), var(--track)) center / 100% 1px no-repeat;
}
.bar { fill: currentColor }
.body { border-left: 3px solid currentColor; padding: .4rem 0 1.1rem 1.25rem; margin: .2rem 0 1rem .5rem }
.body > * { color: var(--text) }
.sides {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem 2rem;
  margin-top: .8rem;
}
.sides > div { min-width: 0 }
.sides h3 { margin-top: 0 }
.events .line { grid-template-columns: 3rem minmax(0, 1fr) minmax(0, 1fr) auto 1rem }
.events .piece { color: var(--dim) }
.log { list-style: none; padding: 0 }
.log > li { border-left: 3px solid var(--bad); padding-left: 1rem; margin-bottom: .8rem }
@media (prefers-reduced-motion: no-preference) {
  .live .bar.running { animation: going 1.6s ease-in-out infinite alternate }
  @keyframes going { from { opacity: 1 } to { opacity: .55 } }
}
"""

NARROW = """
@media (max-width: 48rem) {
  main { padding: 1.25rem 1rem 4rem }
  body > header { padding: .6rem 1rem }
  body > header::after { inset: auto 1rem 0 }
  nav[aria-label=Console] { order: 3; width: 100%; margin: .2rem -.4rem 0 }
  nav li a { padding: .3rem .6rem }
  h1 { font-size: 1.4rem }
  .search > div { flex: 1 1 9rem }
  .search .grow { flex-basis: 100% }
  th, td { padding: .4rem }
  tbody th { min-width: 6rem }
  .choices, .choices tbody, .choices tr, .choices td { display: block; padding: 0; border: 0 }
  .choices thead { display: none }
  .choices tr { padding: .6rem 0; border-bottom: 1px solid var(--line) }
  .choices td:nth-child(-n + 2) { display: inline; color: var(--dim); font-size: .85rem; margin-right: .6rem }
  .runs, .runs tbody, .runs tr, .runs :is(td, th) { display: block; padding: 0; border: 0 }
  .runs thead { display: none }
  .runs tr {
    display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; padding: .7rem 0;
    border-bottom: 1px solid var(--line); font-size: .88rem; color: var(--dim);
  }
  .runs tr th { grid-column: 1 / -1; font-size: .95rem }
  .runs td:nth-child(n + 3) { text-align: right }
  .runs td:nth-child(4), .runs td:last-child { display: none }
  .runs td:nth-child(5) { grid-column: 2 }
  .standing form { margin: 0 }
  .heads { display: none }
  .line { grid-template-columns: minmax(0, 1fr) auto auto 1rem; gap: .1rem .9rem }
  .line > .track { grid-column: 1 / -1; grid-row: 2 }
  .line > .who { display: none }
  .events .line { grid-template-columns: 2.2rem minmax(0, 1fr) 1rem }
  .events .line > :nth-child(3) { grid-row: 2; grid-column: 2 }
  .events .line > :nth-child(4) { grid-row: 2; grid-column: 2; justify-self: end }
  .body { padding-left: .8rem; margin-left: 0 }
  .ask { padding: .8rem .9rem }
  .ask .buttons button { flex: 1 }
}
@media print {
  body > header, form, .skip { display: none }
  main { max-width: none; padding: 0 }
  * { print-color-adjust: exact }
}
"""

STYLE = COLOURS + TEXT + TOP + CONTROLS + TABLES + RUN + NARROW
