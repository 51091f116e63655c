"""How pages look: the reader's own font, cards, colours as variables for light and dark."""

BASE = """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1c2128; --muted: #5d6673; --line: #e1e4ea;
  --accent: #2f6fde; --good: #12805c; --bad: #c2410c; --track: #eceef2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171c; --card: #1c2027; --ink: #e8eaee; --muted: #9aa4b2; --line: #303641;
    --accent: #6ea3ff; --good: #4cc89a; --bad: #ff9a5c; --track: #2a303a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 0 16px 40px; max-width: 1160px; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
}
h1, h2, h3, h4, p { margin: 0; }
h1 { font-size: 26px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 18px; }
h3 { font-size: 15px; margin: 22px 0 8px; }
header { padding: 32px 0 20px; }
header p { color: var(--muted); margin-top: 6px; overflow-wrap: anywhere; }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
footer { color: var(--muted); font-size: 13px; margin-top: 24px; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px;
  min-width: 0;
}
.about { color: var(--muted); font-size: 14px; margin: 4px 0 14px; max-width: 74ch; }
"""
