//! How the HTML report looks: light and dark, and on paper.

pub(super) const CSS: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--page:#fff;--line:#d0d7de;--panel:#f6f8fa;\
--run:#2f855a;--bad:#c53030;--wait:#b7791f;--off:#8c959f;--ill:#c2570c;--held:#3b6fb6;--many:#7b4fa3}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--page:#12161b;--line:#343b44;--panel:#1b2128;\
--run:#3fa06f;--bad:#ff7b72;--wait:#d9a441;--off:#6e7681;--ill:#f0883e;--held:#6ca4f0;--many:#b392f0}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:66rem;padding:1.5rem 1.25rem 3rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page)}\
h1{font-size:1.45rem;line-height:1.3;margin:0 0 .4rem}h2{font-size:1.15rem;line-height:1.35;margin:1.8rem 0 .4rem}\
h3{font-size:.95rem;margin:1rem 0 .25rem}p{margin:.3rem 0}h1,h2,td,li,p,dd{overflow-wrap:anywhere}\
table.fixed{table-layout:fixed}.fixed th:nth-child(1){width:8.2em}.fixed th:nth-child(2){width:20%}.fixed th:nth-child(4){width:11.5em}\
.over th:nth-child(1){width:13.5em}.over th:nth-child(2){width:5.5em}.over th:nth-child(3){width:11em}.over th:nth-child(4){width:auto}\
.diff th:nth-child(1){width:20%}.diff th:nth-child(2),.diff th:nth-child(3){width:40%}\
.soft,figcaption,dt,th{color:var(--soft)}a{color:inherit}\
section{border-left:4px solid var(--off);padding-left:1rem;margin-top:1.8rem}section h2{margin-top:0}\
section.critical,section.major{border-color:var(--bad)}section.minor{border-color:var(--wait)}\
.badge{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:0 .6rem;font-size:.85rem;font-weight:600;margin-right:.3rem}\
.badge.critical,.badge.major{color:var(--bad)}.badge.minor{color:var(--wait)}\
.warn{border:1px solid var(--wait);border-left-width:4px;padding:.35rem .7rem;margin:.5rem 0;background:var(--panel)}\
figure{margin:1rem 0;padding:.6rem;border:1px solid var(--line);border-radius:6px;background:var(--panel);overflow-x:auto}\
figcaption{font-size:.8rem}svg{display:block;width:100%;min-width:38rem;height:auto;font:11px system-ui,sans-serif}\
svg text{fill:var(--ink)}.grid{stroke:var(--line)}.hit{font-weight:700}.mark{font-size:12px;paint-order:stroke;stroke:var(--panel);stroke-width:2.5px}\
svg .failure,svg .oom{fill:var(--bad)}svg .health{fill:var(--ill)}\
rect.running{fill:var(--run)}rect.exited{fill:var(--off)}rect.restarting{fill:var(--wait)}rect.paused{fill:var(--held)}\
rect.unhealthy{fill:var(--ill)}rect.created{fill:none;stroke:var(--off)}rect.changing{fill:var(--many)}rect.during{fill:var(--bad)}\
.stripe{fill:var(--page);opacity:.55}.hatch{fill:var(--ink);opacity:.45}\
.key{display:inline-block;margin-right:.9rem;white-space:nowrap}.key svg{display:inline-block;width:1.3em;min-width:0;height:.8em}\
table{border-collapse:collapse;width:100%;font-size:.87rem}th,td{border-bottom:1px solid var(--line);padding:.2rem .6rem .2rem 0;text-align:left;vertical-align:top}\
th{font-weight:600}td.time,td.id{white-space:nowrap;font-variant-numeric:tabular-nums}td.id,code{font-family:ui-monospace,monospace;font-size:.82em}\
tr.failure td:nth-child(3),tr.oom td:nth-child(3){font-weight:600}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.4rem 0;font-size:.92rem}dd{margin:0}ul{margin:.2rem 0;padding-left:1.2rem}\
.write{display:grid;grid-template-columns:1fr 1fr;gap:.6rem;margin-top:1.8rem}.write div{border:1px dashed var(--line);min-height:4rem;padding:.3rem .6rem}.write h3{margin:0}\
details{margin-top:1rem}summary{cursor:pointer}\
@media(max-width:44rem){.write{grid-template-columns:1fr}dl{grid-template-columns:1fr}dt{margin-top:.3rem}}\
@media print{@page{margin:11mm}\
:root{color-scheme:light;--ink:#000;--soft:#444;--page:#fff;--line:#bbb;--panel:#fff;--run:#2f855a;--bad:#b3261e;--wait:#b7791f;--off:#777;--ill:#c2570c;--held:#3b6fb6;--many:#7b4fa3}\
body{font-size:8.5pt;line-height:1.3;padding:0;max-width:none}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}\
h1{font-size:13pt}h2{font-size:10.5pt}h3{font-size:9pt;margin:.4rem 0 .1rem}section,.write{margin-top:.8rem}figure{margin:.5rem 0;padding:.2rem;border:0}\
svg{min-width:0}th,td{padding:.06rem .5rem .06rem 0}tr,figure,.write div{break-inside:avoid}h2,h3{break-after:avoid}thead{display:table-header-group}\
.write{grid-template-columns:repeat(4,1fr)}.write div{min-height:2.2rem}dl{font-size:8pt;gap:0 .6rem}table{font-size:7.5pt}td.id,code{font-size:6.8pt}details{display:none}a{text-decoration:none}}";
