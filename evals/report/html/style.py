"""How the page looks: one style sheet, light and dark, on paper and on a phone.

Blue, bluish green, vermilion, amber and purple are chosen after Okabe and Ito (2008, Color Universal Design), darkened
or lightened until text in them has a contrast of 4.5 on its ground (WCAG 2.2, criterion 1.4.3).
"""

from __future__ import annotations

COLOURS = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f6f8fa; --line: #d1d9e0; --track: #e4e9ee; --text: #1f2328; --dim: #59636e;
  --blue: #0b62b5; --good: #00705a; --bad: #b23c05; --amber: #855d00; --purple: #84408c;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #0d1117; --raised: #161b22; --line: #30363d; --track: #2a3038; --text: #e6edf3; --dim: #9198a1;
    --blue: #5aaaf6; --good: #38c69d; --bad: #ff8e55; --amber: #e0b13f; --purple: #d896dc;
  }
}
.succeeded, .pass, .good { color: var(--good) }
.failed, .fail, .bad, .over { color: var(--bad) }
.broken { color: var(--purple) }
.unevaluable, .inconclusive, .assumed { color: var(--amber) }
.unscored, .none, .same, .missing { color: var(--dim) }
.exact, .off, .under { color: var(--blue) }
"""

TEXT = """
* { box-sizing: border-box }
html { scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100% }
body {
  margin: 0; background: var(--ground); color: var(--text); font-size: 15px; line-height: 1.55;
  font-variant-numeric: tabular-nums;
}
body, text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
code, pre, .id {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .87em;
}
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.5rem }
header { padding-top: 2.5rem }
section { padding: 2.25rem 0 1rem; border-top: 1px solid var(--line); margin-top: 1.75rem }
main > :first-child { margin-top: 0; border-top: 0 }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.015em; font-weight: 680; margin: 0 }
h2 { font-size: 1.25rem; font-weight: 650; margin: 0 0 .25rem }
p { margin: .25rem 0 }
a { color: var(--blue); text-underline-offset: .15em }
h1, h2, p, dd, li, summary, figcaption, .fold tbody :is(th, td) { overflow-wrap: anywhere }
th, td { overflow-wrap: break-word }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; border-radius: 3px }
.dim, .lead, small { color: var(--dim) }
.lead { max-width: 46rem; margin-bottom: 1.25rem }
.skip { position: absolute; left: -99rem }
.skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .5rem 1rem; z-index: 3 }
.hidden { position: absolute }
footer { color: var(--dim); font-size: .85rem; padding-bottom: 3rem }
footer p { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1.2rem }
"""

HEAD = """
.eyebrow {
  color: var(--dim); font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; margin-bottom: .35rem;
}
.variant { font-size: 1.1rem; color: var(--dim); margin: .2rem 0 0 }
.badge {
  display: inline-block; border: 1px solid currentColor; border-radius: 1em; padding: .1rem .7rem; margin-left: .4rem;
  font-size: .8rem; font-weight: 600; letter-spacing: 0; color: var(--amber); vertical-align: .4em;
  white-space: nowrap;
}
.verdict {
  display: flex; gap: .75rem; align-items: center; margin: 1.5rem 0 1.25rem; padding: .85rem 1.1rem;
  font-size: 1.05rem;
  border: 1px solid currentColor; border-left-width: 5px; border-radius: 6px;
}
.verdict b { color: var(--text); font-weight: 600 }
.sign { width: 18px; height: 18px; flex: none; vertical-align: -4px }
.verdict .sign { width: 26px; height: 26px }
.sign circle, symbol circle { fill: currentColor }
.stroke { fill: none; stroke: var(--ground); stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }
dt { color: var(--dim); font-size: .8rem }
dd { margin: 0 }
.facts { display: flex; flex-wrap: wrap; gap: .35rem 2rem; margin: 0 }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 1px; margin: 1.75rem 0 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 6px; overflow: hidden;
}
.figures div { background: var(--ground); padding: .85rem 1.1rem }
.figures dd { font-size: 1.6rem; font-weight: 650; letter-spacing: -.02em; line-height: 1.3 }
.figures dd.dim { font-size: .8rem; font-weight: 400; letter-spacing: 0 }
.stack { display: flex; gap: 2px; height: 14px; margin: 1.5rem 0 .6rem }
.stack span { background: currentColor; border-radius: 2px; min-width: 3px }
.legend {
  display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; list-style: none; margin: 0; padding: 0; font-size: .9rem;
}
.legend b { color: var(--text) }
nav {
  position: sticky; top: 0; z-index: 2; margin-top: 2rem; background: var(--ground);
  border-bottom: 1px solid var(--line);
}
nav ul {
  display: flex; gap: 1.4rem; overflow-x: auto; scrollbar-width: none; list-style: none; max-width: 72rem;
  margin: 0 auto; padding: .65rem 1.5rem;
}
nav a { text-decoration: none; white-space: nowrap; font-size: .9rem }
nav a:hover { text-decoration: underline }
.notes { border-left: 3px solid var(--amber); padding: .1rem 0 .1rem 1rem; margin-top: 2rem }
main > .notes:first-child { margin-top: 2rem }
.notes h2 { font-size: 1rem }
.notes ul { margin: .25rem 0; padding-left: 1.1rem }
"""

TABLES = """
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .93rem }
caption { text-align: left; color: var(--dim); font-size: .85rem; padding: 0 0 .5rem }
th, td { text-align: left; vertical-align: top; padding: .45rem .75rem; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { padding-left: 0 }
th:last-child, td:last-child { padding-right: 0 }
thead th {
  color: var(--dim); font-weight: 500; font-size: .8rem; line-height: 1.3; vertical-align: bottom;
  border-bottom-color: var(--dim); overflow-wrap: normal;
}
tbody th { font-weight: 500 }
tbody th small { max-width: 34rem }
.n { text-align: right; white-space: nowrap }
thead .n { white-space: normal }
.k, thead .k { white-space: nowrap }
.t { min-width: 8rem }
td.v { font-weight: 650 }
tr.undefined td { color: var(--dim) }
.fold tbody th { min-width: 11rem }
:is(th, td) small { display: block; font-weight: 400 }
tr:has(.group) > * { padding-top: 1.4rem; border-bottom-color: var(--dim); vertical-align: bottom }
.group { font-weight: 650 }
.group::first-letter { text-transform: uppercase }
.draw { width: 30%; min-width: 8rem }
.money .draw { width: 60% }
.plain caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
tr.sum > * { font-weight: 650; border-top: 1px solid var(--dim) }
.heat { width: auto }
.heat td {
  text-align: right; vertical-align: middle; white-space: nowrap; min-width: 2.8rem;
  border: 1px solid var(--ground); padding: .4rem .6rem;
  background: color-mix(in srgb, var(--blue) calc(var(--heat, 0) * 1%), var(--raised));
}
.heat .right { box-shadow: inset 0 0 0 2px var(--text); font-weight: 650 }
.heat .sum, .heat thead td { background: none; color: var(--dim) }
.heat thead th { border: 0; text-align: right }
.heat thead .turned { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; max-height: 11rem }
.heat tbody th { border: 0; text-align: right; vertical-align: middle; white-space: nowrap }
.swatch { display: inline-flex; width: 2rem; margin: 0 .6rem 0 0; vertical-align: -2px }
.swatch span { flex: 1 }
.stack .off { background: repeating-linear-gradient(135deg, currentColor 0 3px, transparent 3px 6px) }
.stack .assumed { background: radial-gradient(currentColor 1.6px, transparent 2px) 0 0 / 6px 7px }
.stack .missing { background: none; border: 1.5px dashed currentColor }
"""

DRAWINGS = """
text { fill: var(--dim); font-size: 11px }
.bar { display: block; width: 100%; overflow: visible; margin-top: 2px }
.right { text-anchor: end }
.middle { text-anchor: middle }
.track { stroke: var(--track); stroke-width: 2 }
.tick { stroke: var(--dim); opacity: .5 }
.range { fill: var(--blue); opacity: .38 }
.dot { fill: var(--blue); stroke: var(--ground); stroke-width: 1.5 }
.blind { fill: var(--track) }
.zero { stroke: var(--dim) }
.whisker { stroke: currentColor; stroke-width: 2 }
.spot { fill: currentColor; stroke: var(--ground); stroke-width: 1.5 }
.part { fill: var(--blue) }
.total { fill: var(--dim) }
.of { fill: url(#hatch) }
.hatching { stroke: var(--amber); stroke-width: 1.6 }
.stair { stroke: var(--dim); stroke-dasharray: 2 2 }
.pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 3rem; align-items: start }
.drawing { margin: 2rem 0 3.2rem 3rem }
.plot { display: block; width: 100%; overflow: visible }
.square { max-width: 26rem }
.grid { stroke: var(--track) }
.name { font-size: 12px }
.hull-line { stroke: var(--dim); stroke-width: 1.5 }
.m { fill: var(--ground); stroke: var(--dim); stroke-width: 1.6; stroke-linejoin: round }
.m.this { fill: var(--blue); stroke: var(--ground); stroke-width: 1 }
.m.baseline_run { stroke: var(--blue); stroke-width: 2 }
.m.oracle { fill: var(--amber); stroke: var(--ground); stroke-width: 1 }
.m.best_single { fill: var(--good); stroke: var(--ground) }
.m.cheapest { fill: var(--purple); stroke: var(--ground) }
.m.random { fill: none; stroke: var(--bad); stroke-width: 2.2 }
.m.hull { fill: var(--dim) }
.marked { display: flex; gap: .5rem }
.mark { flex: none; margin-top: 2px }
.label {
  font-size: 12px; fill: var(--text); paint-order: stroke; stroke: var(--ground); stroke-width: 3px;
  stroke-linejoin: round;
}
.strong { font-weight: 700 }
.diagonal { stroke: var(--dim); stroke-dasharray: 4 4 }
.gap { stroke: currentColor; stroke-width: 2 }
.bin { fill: currentColor; stroke: var(--ground); stroke-width: 1.5 }
"""

SCENARIOS = """
fieldset { border: 0; margin: 0 0 1rem; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem }
legend { float: left; color: var(--dim); font-size: .85rem; margin: .3rem .5rem 0 0; padding: 0 }
fieldset label {
  border: 1px solid var(--line); border-radius: 1em; padding: .15rem .8rem; font-size: .88rem; cursor: pointer;
}
fieldset label:has(:checked) { border-color: var(--text); background: var(--raised); font-weight: 600 }
fieldset label:has(:focus-visible) { outline: 2px solid var(--blue); outline-offset: 2px }
fieldset input { position: absolute; opacity: 0 }
.list:has(#show-failed:checked) > details:not(.failed),
.list:has(#show-broken:checked) > details:not(.broken),
.list:has(#show-unevaluable:checked) > details:not(.unevaluable),
.list:has(#show-unscored:checked) > details:not(.unscored),
.list:has(#show-succeeded:checked) > details:not(.succeeded) { display: none }
summary { cursor: pointer; list-style: none }
summary::-webkit-details-marker { display: none }
summary::after {
  content: ""; width: .45rem; height: .45rem; border: solid var(--dim); border-width: 0 1.5px 1.5px 0;
  transform: rotate(45deg) translate(-2px, -2px); align-self: center; margin-left: auto; margin-right: 3px;
}
[open] > summary::after { transform: rotate(225deg) translate(-2px, -2px) }
.line {
  display: grid; grid-template-columns: 8.2rem minmax(0, 1.6fr) minmax(0, 1fr) 5.5rem 6rem 5rem 1rem; gap: .9rem;
  align-items: baseline; padding: .42rem 0; border-bottom: 1px solid var(--line);
}
.line > * + * { color: var(--text) }
.list > .line { font-size: .8rem; border-bottom-color: var(--dim) }
.list > .line > * { color: var(--dim) }
summary.line:hover { background: var(--raised) }
[open] > summary.line { border-bottom-color: transparent; font-weight: 600 }
.tag {
  display: inline-block; color: var(--dim); background: var(--raised); border-radius: 3px; padding: 0 .4rem;
  margin: 0 .25rem .1rem 0; font-size: .78rem; font-weight: 400;
}
.body {
  border-left: 3px solid currentColor; overflow-x: auto; padding: .4rem 0 1.4rem 1.4rem;
  margin: .2rem 0 1.2rem; scroll-margin-top: 6.5rem;
}
.body > * { color: var(--text) }
.body h3, .body caption, .body figcaption {
  font-size: .85rem; font-weight: 650; color: var(--text); margin: 0; padding: 0 0 .2rem;
}
.body table { width: auto; min-width: min(100%, 34rem); margin-top: 1.1rem; font-size: .88rem }
.body tbody :is(th, td) { padding-top: .25rem; padding-bottom: .25rem }
.body .facts { gap: .2rem 1.6rem }
.body :is(dt, dd) { display: inline; font-size: .85rem }
.body dt { margin-right: .35rem }
.more { margin-top: 1rem; font-size: .88rem }
.more > summary { display: inline-flex; gap: .7rem; color: var(--dim) }
.said { white-space: pre-wrap; margin: 0; min-width: 11rem; max-width: 46rem; font-size: .95em }
.body > .said { margin-bottom: .4rem }
pre {
  background: var(--raised); border-radius: 4px; padding: .6rem .8rem; margin: .3rem 0 0; max-height: 24rem;
  overflow: auto;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem 1rem; margin-top: 1.1rem }
.sides > h3 { grid-column: 1 / -1 }
.sides div h3 { color: var(--dim); font-weight: 400 }
.beside { display: flex; flex-wrap: wrap; gap: 0 3.5rem; align-items: start }
.beside table { min-width: 0 }
.graph { margin: 1.3rem 0 0; overflow-x: auto }
.graph img {
  display: block; max-width: max(100%, 34rem); height: auto; border: 1px solid var(--line); border-radius: 6px;
}
.repeat > summary { display: flex; gap: 1rem; padding: .35rem 0; border-bottom: 1px solid var(--line) }
.repeat > summary > :first-child { min-width: 7.5rem }
.repeat > div { padding: .5rem 0 1.4rem 1.6rem }
"""

NARROW = """
@media print, (max-width: 64rem) {
  table { font-size: .85rem }
  th, td { padding-left: .45rem; padding-right: .45rem }
  .fold .later { display: none }
  .fold tbody th { min-width: 8rem }
  .draw { min-width: 6rem }
  .pair { grid-template-columns: minmax(0, 1fr); gap: .5rem }
  .line { grid-template-columns: 8.2rem minmax(0, 1.6fr) minmax(0, 1fr) 4.8rem 4.8rem 4rem 1rem }
}
@media screen and (max-width: 48rem) {
  header, main, footer, nav ul { padding-left: 1rem; padding-right: 1rem }
  header { padding-top: 1.5rem }
  h1 { font-size: 1.6rem }
  .sides { grid-template-columns: minmax(0, 1fr) }
  .drawing { margin-left: 2.4rem }
  .fold, .fold caption, .fold tbody { display: block }
  .fold thead, .fold .rest { display: none }
  .fold tr {
    display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1rem; padding: .6rem 0;
  border-bottom: 1px solid var(--line);
  }
  .fold :is(th, td) { border: 0; padding: 0 }
  .fold th.group { grid-column: 1 / -1; padding-top: 1rem }
  .fold td.v { grid-row: 1; grid-column: 2 }
  .fold td[data-head] { font-size: .85rem; text-align: left }
  .fold td[data-head]::before { content: attr(data-head) " "; color: var(--dim) }
  .fold .whole { grid-column: 1 / -1 }
  .figures { grid-template-columns: 1fr 1fr }
  .figures dd { font-size: 1.35rem }
  .fold .draw { grid-column: 1 / -1; width: auto; padding: .35rem 0 }
  .list > .line { display: none }
  .line { grid-template-columns: auto minmax(0, 1fr) auto; gap: .1rem .9rem }
  .line > :nth-child(2) { text-align: right }
  .line > .tags { grid-row: 3; grid-column: 1 / -1 }
  .line > :is(.won, .usd, .took) { grid-row: 2; font-size: .85rem; color: var(--dim); text-align: left }
  .line > .took { text-align: right; grid-column: 3 }
  .line > .won::after { content: " succeeded" }
  .line > .usd::before { content: "$" }
  .line > .took::after { content: " s" }
  .line::after { grid-row: 1; grid-column: 3 }
  .body { padding-left: .8rem }
  .body table { display: block; overflow-x: auto; min-width: 0 }
  .repeat > div { padding-left: .4rem }
}
"""

PAPER = """
@media print {
  body { font-size: 10pt }
  header, main, footer { max-width: none; padding: 0 }
  nav, fieldset, .skip { display: none }
  section { margin-top: 1rem; padding-top: 1rem }
  tr, figure, .line, .verdict { break-inside: avoid }
  h2, caption { break-after: avoid }
  * { print-color-adjust: exact }
  pre { max-height: none }
  a { color: inherit; text-decoration: none }
}
"""

STYLE = COLOURS + TEXT + HEAD + TABLES + DRAWINGS + SCENARIOS + NARROW + PAPER
