"""How the index looks, beyond what all pages share."""

CSS = """
body { max-width: 1400px; }
[hidden] { display: none !important; }
#controls {
  display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px 18px;
  align-items: end; margin-bottom: 12px;
}
#controls p { display: grid; gap: 2px; min-width: 0; }
#controls label { color: var(--muted); font-size: 13px; }
#controls select, #controls input {
  font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: 6px 8px; width: 100%; min-height: 38px;
}
#count { color: var(--muted); padding: 8px 0; }
#videos {
  list-style: none; margin: 0; padding: 0; display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(200px, 100%), 1fr));
}
#videos li {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px;
  min-width: 0; border-top: 4px solid var(--line);
}
#videos li.right { border-top-color: var(--good); }
#videos li.wrong { border-top-color: var(--bad); }
#videos a { display: block; color: var(--accent); text-decoration: none; border-radius: 6px; }
#videos a:hover .id { text-decoration: underline; }
a:focus-visible, select:focus-visible, input:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px;
}
#videos img {
  display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain; border-radius: 6px;
  background: var(--track);
}
.id { display: block; margin-top: 6px; font-weight: 600; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0 8px; margin: 4px 0 0;
  font-size: 13px; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (min-width: 700px) {
  #controls {
    display: flex; flex-wrap: wrap; position: sticky; top: 0; padding: 10px 0; z-index: 1;
    background: var(--page);
  }
  #controls select { max-width: 280px; }
}
.right .badge { color: var(--good); font-weight: 600; }
.wrong .badge { color: var(--bad); font-weight: 600; }
"""
