"""How the page looks, beyond what all pages share."""

from stgraph_tf.viz import page_style

_OWN = """
:root {
  --heat: 47 111 222;
  --model1: #c2410c; --model2: #12805c; --model3: #9333a8; --model4: #8a6d00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --heat: 84 140 245;
    --model1: #ff9a5c; --model2: #4cc89a; --model3: #d59bea; --model4: #e0c04c;
  }
}
main { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--muted); font-size: 13px; margin-top: 6px; }
.scroll { overflow-x: auto; }

.tiles { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px;
  margin: 20px 0 0; }
.tiles div {
  display: flex; flex-direction: column-reverse; justify-content: flex-end;
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px;
}
.tiles div:last-child:nth-child(odd) { grid-column: 1 / -1; }
.tiles dt { color: var(--muted); font-size: 13px; overflow-wrap: anywhere; }
.tiles dd { margin: 0; font-size: 26px; font-weight: 600; line-height: 1.25; }
.tiles div:first-child dd { color: var(--accent); }

.plot { display: block; width: 100%; height: auto; max-width: 560px; margin: 0 auto; }
.plot text { font-size: 12px; fill: var(--muted); }
.plot .axis text { fill: var(--ink); }
.grid line { stroke: var(--line); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke: currentColor; }
.line.faint { stroke: var(--muted); stroke-width: 1; opacity: var(--faint); }
.line.best { stroke: var(--good); }
.line.worst { stroke: var(--bad); }
.line.mean { stroke: var(--accent); stroke-width: 3.5; pointer-events: none; }
.line.diagonal { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 4 4; }
.line.error { stroke-width: 1.5; opacity: .7; }
g[class^=model] .line { stroke-dasharray: 5 4; }
g.model0 .line, g[class^=model] .line.error { stroke-dasharray: none; }
.touch { fill: none; stroke: transparent; stroke-width: 12; pointer-events: stroke; }
.curve:hover .line, .curve.chosen .line { opacity: 1; stroke-width: 3; stroke: var(--ink); }
.point { fill: var(--accent); fill-opacity: .75; stroke: var(--card); }
.curve-name { display: block; min-height: 1.5em; font-size: 14px; margin-top: 4px; }
.curve-name[hidden] { display: none; }
.legend {
  list-style: none; margin: 6px 0 0; padding: 0; font-size: 13px; display: flex; flex-wrap: wrap;
  gap: 2px 16px;
}
.legend li { overflow-wrap: anywhere; min-width: 0; }
.key { display: inline-block; width: 18px; height: 4px; border-radius: 2px; margin-right: 6px;
  vertical-align: middle; background: currentColor; }
.key.mean { background: var(--accent); }
.key.best { background: var(--good); }
.key.worst { background: var(--bad); }
.model0 { --c: var(--accent); } .model1 { --c: var(--model1); } .model2 { --c: var(--model2); }
.model3 { --c: var(--model3); } .model4 { --c: var(--model4); }
g[class^=model] { color: var(--c); }
g[class^=model] circle { fill: var(--c); stroke: var(--card); stroke-width: 1.5; }
.key[class*=model] { background: var(--c); }
.panels { display: grid; grid-template-columns: minmax(0, 1fr); gap: 20px; margin-top: 14px; }
.panels figcaption { color: var(--ink); font-weight: 600; text-align: center; }

table { border-collapse: collapse; font-size: 14px; }
thead th { color: var(--muted); font-weight: 500; font-size: 13px; }
.bars { width: 100%; table-layout: fixed; }
.bars th, .bars td { padding: 3px 0; text-align: right; vertical-align: middle; }
.bars col.label { width: 42%; }
.bars col.number { width: 62px; }
.bars col.number + .number { width: 48px; }
.bars th:first-child { text-align: left; padding-right: 10px; }
.bars tbody th { font-weight: 400; overflow-wrap: anywhere; line-height: 1.25; }
.bars thead th:nth-child(2) { text-align: left; }
.bars td:nth-child(3) { padding-left: 4px; white-space: nowrap; }
.bars td:last-child { color: var(--muted); }
.bar { position: relative; height: 12px; background: var(--track); border-radius: 3px; }
.bar i { position: absolute; top: 0; bottom: 0; left: 0; }
.bar .fill { background: var(--accent); border-radius: 3px; }
.bar .mark { width: 2px; top: -3px; bottom: -3px; margin-left: -1px; background: var(--ink); }
summary { cursor: pointer; margin: 16px 0 8px; color: var(--accent); }

.matrix { font-size: 12px; }
.matrix td { min-width: 30px; width: 30px; height: 28px; text-align: center; padding: 0;
  border: 1px solid var(--line); }
.matrix td.none { background: var(--track); }
.matrix td.dark { color: #fff; }
.matrix td.corner { border: 0; color: var(--muted); vertical-align: bottom; text-align: left;
  padding: 0 8px 6px 0; min-width: 96px; }
.matrix th { font-weight: 400; }
.matrix tbody th { text-align: left; padding: 0 8px 0 0; max-width: 200px; min-width: 96px;
  overflow-wrap: anywhere; line-height: 1.2; position: sticky; left: 0; background: var(--card); }
.matrix thead th { vertical-align: bottom; padding: 0 0 6px; color: var(--ink); font-size: 12px; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block;
  max-height: 180px; line-height: 1.15; overflow-wrap: anywhere; }
.pixels { width: 100%; max-width: 640px; image-rendering: pixelated;
  border: 1px solid var(--line); }
.beside { display: flex; flex-wrap: wrap; gap: 8px 36px; }
.beside > div { min-width: 0; max-width: 100%; flex: 0 1 auto; }
.beside > div + div { flex: 1 1 420px; }
.beside figure { max-width: 600px; }
.beside h3 { margin-top: 8px; }
.pairs { width: 100%; font-size: 13px; }
.pairs th, .pairs td { padding: 5px 8px 5px 0; text-align: right; white-space: nowrap;
  line-height: 1.3; }
.pairs th:nth-child(-n+2), .pairs td.name { text-align: left; white-space: normal;
  min-width: 64px; }
.pairs th:last-child, .pairs td:last-child { padding-right: 0; }
.pairs tbody th { font-weight: 400; }
.pairs tbody tr { border-top: 1px solid var(--line); }

.cards { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px 12px; }
article picture, article img { display: block; width: 100%; }
article img { height: auto; border-radius: 6px; background: var(--track); }
h4 { font-size: 12px; font-weight: 500; color: var(--muted); margin: 6px 0 4px; display: flex;
  flex-wrap: wrap; justify-content: space-between; gap: 0 8px; }
.id { color: var(--ink); overflow-wrap: anywhere; }
article ol { list-style: none; margin: 0; padding: 0; font-size: 13px; }
article li { display: grid; grid-template-columns: 14px minmax(0, 1fr) auto; column-gap: 4px;
  padding: 1px 0 3px; line-height: 1.3; color: var(--muted); }
article li .fill { grid-column: 2 / -1; height: 3px; border-radius: 2px; background: var(--muted); }
article li.shown { color: var(--good); }
article li.shown .fill { background: var(--good); }
.label { overflow-wrap: anywhere; }
article p { color: var(--muted); font-size: 12px; }
.no-film { padding: 30% 8px; text-align: center; background: var(--track); border-radius: 6px; }

@media (min-width: 760px) {
  main { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .wide { grid-column: 1 / -1; }
  .tiles { grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
  .tiles div:last-child:nth-child(odd) { grid-column: auto; }
  .matrix tbody th { min-width: 120px; }
  .bars col.label { width: 34%; }
  .columns { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 32px; }
  .panels { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .cards { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 20px 16px; }
}
@media (min-width: 1000px) { .cards { grid-template-columns: repeat(6, minmax(0, 1fr)); } }
"""

CSS = page_style.BASE + _OWN
