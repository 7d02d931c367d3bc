"""How the page looks: one style sheet, light and dark, on paper and on a phone.

Blue, bluish green, vermilion, amber and purple are chosen after Okabe and Ito (2008, Color Universal Design), darkened
or lightened until text in them has a contrast of 4.5 on its ground (WCAG 2.2, criterion 1.4.3).
"""

from __future__ import annotations

from .markup import Html, tag

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--raised:#f6f8fa;--line:#d1d9e0;--text:#1f2328;--dim:#59636e;--track:#e4e9ee;
--blue:#0b62b5;--good:#00705a;--bad:#b23c05;--amber:#855d00;--purple:#84408c}
@media screen and (prefers-color-scheme:dark){:root{--bg:#0d1117;--raised:#161b22;--line:#30363d;--text:#e6edf3;
--dim:#9198a1;--track:#2a3038;--blue:#5aaaf6;--good:#38c69d;--bad:#ff8e55;--amber:#e0b13f;--purple:#d896dc}}
*{box-sizing:border-box}
html{scroll-padding-top:4rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",
sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{max-width:72rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2.5rem}
h1{font-size:2rem;line-height:1.2;letter-spacing:-.015em;font-weight:680;margin:0}
h2{font-size:1.25rem;letter-spacing:-.005em;font-weight:650;margin:0 0 .25rem}
section{padding:2.25rem 0 1rem;border-top:1px solid var(--line);margin-top:1.75rem}
main>:first-child{margin-top:0;border-top:0}
p{margin:.25rem 0}a{color:var(--blue);text-underline-offset:.15em}
h1,h2,th,td,p,dd,summary,figcaption{overflow-wrap:anywhere}
:focus-visible{outline:2px solid var(--blue);outline-offset:2px;border-radius:3px}
code,pre,.id{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.87em}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--bg);padding:.5rem 1rem;z-index:3}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.dim,.lead,small{color:var(--dim)}.lead{max-width:46rem;margin-bottom:1.25rem}
.eyebrow{color:var(--dim);font-size:.8rem;letter-spacing:.06em;text-transform:uppercase;margin:0 0 .35rem}
.variant{font-size:1.1rem;color:var(--dim);margin:.2rem 0 0}
.badge{display:inline-block;border:1px solid currentColor;border-radius:1em;padding:.05rem .7rem;font-size:.8rem;font-weight:600;
color:var(--amber);vertical-align:.15em;white-space:nowrap}
.sign{width:18px;height:18px;flex:none;vertical-align:-4px}.sign circle{fill:currentColor}
.stroke{fill:none;stroke:var(--bg);stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.succeeded,.pass,.good{color:var(--good)}.failed,.fail,.bad{color:var(--bad)}.broken{color:var(--purple)}
.unevaluable,.inconclusive{color:var(--amber)}.unscored,.none,.same{color:var(--dim)}
.verdict{display:flex;gap:.75rem;align-items:center;margin:1.5rem 0 1.25rem;padding:.85rem 1.1rem;font-weight:600;font-size:1.05rem;
border:1px solid currentColor;border-left-width:5px;border-radius:6px}.verdict b{color:var(--text);font-weight:600}
.verdict .sign{width:26px;height:26px}
.facts{display:flex;flex-wrap:wrap;gap:.35rem 2rem;margin:0}.facts div{min-width:0}
dt{color:var(--dim);font-size:.8rem}dd{margin:0}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(12rem,1fr));gap:1px;background:var(--line);
border:1px solid var(--line);border-radius:6px;overflow:hidden;margin:1.75rem 0 0}
.figures div{background:var(--bg);padding:.85rem 1.1rem}.figures dd{font-size:1.6rem;font-weight:650;letter-spacing:-.02em;line-height:1.3}
.figures dd.dim{font-size:.8rem;font-weight:400;letter-spacing:0}
.stack{display:flex;gap:2px;height:14px;margin:1.5rem 0 .6rem}.stack span{background:currentColor;border-radius:2px;min-width:3px}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;list-style:none;margin:0;padding:0;font-size:.9rem}
.legend b{color:var(--text)}
nav{position:sticky;top:0;z-index:2;background:var(--bg);border-bottom:1px solid var(--line);margin-top:2rem}
nav ul{display:flex;gap:1.4rem;overflow-x:auto;list-style:none;max-width:72rem;margin:0 auto;padding:.65rem 1.5rem;scrollbar-width:none}
nav a{text-decoration:none;white-space:nowrap;font-size:.9rem}nav a:hover{text-decoration:underline}
.notes{border-left:3px solid var(--amber);padding:.1rem 0 .1rem 1rem}.notes ul{margin:.25rem 0;padding-left:1.1rem}
.notes h2{font-size:1rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.93rem}
caption{text-align:left;color:var(--dim);font-size:.85rem;padding:0 0 .5rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .75rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}
thead th{color:var(--dim);font-weight:500;font-size:.8rem;vertical-align:bottom;border-bottom-color:var(--dim)}
tbody th{font-weight:500}tbody th small{display:block;font-weight:400;max-width:34rem}
.n{text-align:right;white-space:nowrap}td.v{font-weight:650}
th.group{padding-top:1.4rem;font-weight:650;text-transform:capitalize;border-bottom-color:var(--dim)}
tr.undefined td{color:var(--dim)}
.draw{width:26%;min-width:8rem}.wait{white-space:nowrap}
.bar{display:block;width:100%;overflow:visible;margin-top:2px}
.track,.tick{stroke:var(--track);stroke-width:2}.tick{stroke:var(--dim);stroke-width:1;opacity:.5}
.range{fill:var(--blue);opacity:.38}.dot{fill:var(--blue);stroke:var(--bg);stroke-width:1.5}
text{fill:var(--dim);font:11px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.right{text-anchor:end}.middle{text-anchor:middle}.below{dominant-baseline:auto}
.blind{fill:var(--track);opacity:.8}.zero{stroke:var(--dim);stroke-width:1}
.whisker{stroke:currentColor;stroke-width:2}.spot{fill:currentColor;stroke:var(--bg);stroke-width:1.5}
.part{fill:var(--blue)}.total{fill:var(--dim)}.of{fill:url(#hatch)}.stair{stroke:var(--dim);stroke-dasharray:2 2}
tr.sum th,tr.sum td{font-weight:650;border-top:1px solid var(--dim)}
.pair{display:grid;grid-template-columns:minmax(0,1.15fr) minmax(0,1fr);gap:3rem;align-items:start}
.drawing{margin:2rem 0 3.2rem 3rem}.plot{display:block;width:100%;overflow:visible}.square{max-width:26rem}
.grid{stroke:var(--track)}.tickmark{font-size:11.5px}.name{font-size:12px}
.hull-line{stroke:var(--dim);stroke-width:1.5}
.m{fill:var(--bg);stroke:var(--dim);stroke-width:1.6;stroke-linejoin:round}.m.this{fill:var(--blue);stroke:var(--bg);stroke-width:1}
.m.baseline_run{stroke:var(--blue);stroke-width:2}.m.oracle{fill:var(--amber);stroke:var(--bg);stroke-width:1}
.m.best_single{fill:var(--good);stroke:var(--bg)}.m.cheapest{fill:var(--purple);stroke:var(--bg)}
.m.random{stroke:var(--bad);stroke-width:2.2;fill:none}.m.hull{fill:var(--dim)}
.label{font-size:12px;fill:var(--text);paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round}.strong{font-weight:700}
.mark{vertical-align:-5px;margin-right:.4rem}
.diagonal{stroke:var(--dim);stroke-dasharray:4 4}.gap{stroke-width:2;stroke:currentColor}.bin{fill:currentColor;stroke:var(--bg);stroke-width:1.5}
.over{color:var(--bad)}.under{color:var(--blue)}
.heat{width:auto}.heat td{text-align:right;min-width:2.6rem;border:1px solid var(--bg);padding:.4rem .55rem;
background:color-mix(in srgb,var(--blue) calc(var(--heat,0)*1%),var(--raised))}
.heat td.sum{background:none;color:var(--dim)}.heat td.right{box-shadow:inset 0 0 0 2px var(--text);font-weight:650}
.heat thead th{vertical-align:bottom;border:0}.heat thead th.turned{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;
padding:.3rem .6rem;max-height:11rem}.heat tbody th{border:0;text-align:right;white-space:nowrap}
.exact{color:var(--blue)}.off{color:var(--blue)}.assumed{color:var(--amber)}.missing{color:var(--dim)}
.stack .off{background:repeating-linear-gradient(135deg,currentColor 0 3px,transparent 3px 6px)}
.stack .assumed{background:radial-gradient(currentColor 1.6px,transparent 2px) 0 0/6px 7px}
.stack .missing{background:none;border:1.5px dashed currentColor}
.swatch{display:inline-flex;width:2rem;margin:0 .6rem 0 0;vertical-align:-2px}.swatch span{flex:1}
fieldset{border:0;margin:0 0 1rem;padding:0;display:flex;flex-wrap:wrap;gap:.4rem}
legend{float:left;color:var(--dim);font-size:.85rem;margin:.3rem .5rem 0 0;padding:0}
fieldset label{border:1px solid var(--line);border-radius:1em;padding:.15rem .8rem;font-size:.88rem;cursor:pointer}
fieldset label:has(:checked){border-color:var(--text);background:var(--raised);font-weight:600}
fieldset label:has(:focus-visible){outline:2px solid var(--blue);outline-offset:2px}
fieldset input{position:absolute;opacity:0}
.line{display:grid;grid-template-columns:8.2rem minmax(0,1.6fr) minmax(0,1fr) 6rem 6rem 5rem 1rem;gap:.9rem;align-items:baseline;
padding:.42rem 0;border-bottom:1px solid var(--line)}
.list>.line{color:var(--dim);font-size:.8rem;border-bottom-color:var(--dim)}
summary{cursor:pointer;list-style:none}summary::-webkit-details-marker{display:none}
summary.line:hover{background:var(--raised)}
summary.line::after,.repeat>summary::after{content:"";width:.45rem;height:.45rem;border:solid var(--dim);border-width:0 1.5px 1.5px 0;
transform:rotate(45deg);align-self:center;justify-self:end}
[open]>summary.line::after,[open].repeat>summary::after{transform:rotate(225deg)}
[open]>summary.line{border-bottom-color:transparent;font-weight:600}
.tag{display:inline-block;color:var(--dim);background:var(--raised);border-radius:3px;padding:0 .4rem;font-size:.78rem;margin:0 .25rem .1rem 0;
font-weight:400}
.body{border-left:3px solid currentColor;padding:.4rem 0 1.4rem 1.4rem;margin:.2rem 0 1.2rem;scroll-margin-top:6.5rem}
.body>*{color:var(--text)}.body h3,.body caption{font-size:.85rem;font-weight:650;color:var(--text);margin:0;padding:0 0 .2rem}
.body table{margin-top:1.1rem;width:auto;min-width:min(100%,34rem);font-size:.88rem}.body th,.body td{padding-top:.25rem;padding-bottom:.25rem}
.body .facts{font-size:.9rem;gap:.2rem 1.6rem}.body dt,.body dd{display:inline;font-size:.85rem}.body dt{margin-right:.35rem}
.said{white-space:pre-wrap;margin:0;max-width:46rem;font-size:.92em}
pre{background:var(--raised);border-radius:4px;padding:.6rem .8rem;margin:.3rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:24rem;overflow:auto}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:1rem;margin-top:1.1rem}.sides h3:first-child{grid-column:1/-1}
.bills{display:flex;flex-wrap:wrap;gap:0 3rem;align-items:start}.bills table{min-width:0}
.graph{margin:1.3rem 0 0;overflow-x:auto}.graph img{max-width:max(100%,34rem);height:auto;border:1px solid var(--line);border-radius:6px}
.graph figcaption{font-size:.85rem;font-weight:650}
.repeat>summary{display:flex;gap:1rem;padding:.35rem 0}.repeat>summary::after{margin-left:auto}
.repeat>.inside{padding:0 0 1rem 1.6rem}
footer{color:var(--dim);font-size:.85rem;border-top:1px solid var(--line);margin-top:3rem;padding-top:1.2rem;padding-bottom:3rem}
@media(max-width:48rem){
header,main,footer{padding-left:1rem;padding-right:1rem}header{padding-top:1.5rem}h1{font-size:1.6rem}nav ul{padding-left:1rem}
.pair{grid-template-columns:minmax(0,1fr);gap:.5rem}.sides{grid-template-columns:1fr}.drawing{margin-left:2.4rem}
.fold,.fold tbody,.fold tr{display:block}.fold thead,.fold .later,.fold .axis{display:none}
.fold tr{display:grid;grid-template-columns:1fr auto;gap:0 1rem;padding:.6rem 0;border-bottom:1px solid var(--line)}
.fold th,.fold td{border:0;padding:0}.fold td.v{grid-row:1;grid-column:2}.fold td[data-head]::before{content:attr(data-head) " ";color:var(--dim);
font-weight:400;font-size:.8rem}
.fold .draw{grid-column:1/-1;width:auto;padding:.35rem 0}.fold .n:not(.v){text-align:left;white-space:normal;font-size:.85rem}.fold th.group{padding-top:1rem}
.list>.line{display:none}.line{grid-template-columns:auto 1fr auto;gap:.1rem .7rem}.line>.id{grid-column:2}.line>.tags{grid-column:1/-1;grid-row:3}
.line>.usd,.line>.took,.line>.reps{grid-row:2;font-size:.85rem;color:var(--dim);text-align:left}.line>.usd::before{content:"$"}
.line>.took::after{content:" s"}.line::after{grid-row:1;grid-column:3}
.body{padding-left:.8rem}.body table{display:block;overflow-x:auto;min-width:0}
}
@media print{
body{font-size:10.5pt}header,main,footer{max-width:none;padding:0}nav,fieldset,.skip{display:none}section{break-inside:auto;margin-top:1rem;padding-top:1rem}
tr,figure,.line,.verdict{break-inside:avoid}h2,caption{break-after:avoid}*{print-color-adjust:exact}pre{max-height:none}a{color:inherit;text-decoration:none}
}
"""

SIGNS = {
    "succeeded": "M-4 .3-1.2 3.2 4.2-3",
    "failed": "M-3.2-3.2 3.2 3.2M3.2-3.2-3.2 3.2",
    "unscored": "M-3.6 0H3.6",
    "unevaluable": "M-2.4-2.1C-2.2-5.2 3-5 2.6-1.9 2.3-.4 0-.5 0 1.4M0 4.3V4.4",
    "broken": "M0-4.4V1M0 4.2V4.3",
}
"""Drawn, not written: no font is sure to have them."""

ALIKE = {"pass": "succeeded", "fail": "failed", "inconclusive": "unevaluable", "none": "unscored"}
"""The sign of a verdict is that of the state it is like."""


def symbols() -> Html:
    """What the page's drawings refer to: the signs, and the hatching of a part of something."""
    signs = (
        tag(
            "symbol",
            tag("circle", r=8),
            tag("path", d=path, class_="stroke"),
            id=f"sign-{name}",
            viewBox="-9 -9 18 18",
        )
        for name, path in SIGNS.items()
    )
    hatch = tag(
        "pattern",
        tag("path", d="M-1 7 7-1M-4 4 4-4M2 10 10 2", stroke="var(--amber)", stroke_width="1.6"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )
    return tag("svg", signs, hatch, width=0, height=0, aria_hidden="true", class_="hidden")


def sign(name: str) -> Html:
    """The sign of a state or a verdict, in its colour; the word stands beside it."""
    use = tag("use", href=f"#sign-{ALIKE.get(name, name)}")
    return tag("svg", use, class_=f"sign {name}", aria_hidden="true")
