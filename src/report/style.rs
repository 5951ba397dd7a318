//! How the HTML report looks: in the colours of the live page, light and dark, and on paper.

/// Colours as in `src/ui/style.css`. Paper is light.
const COLOURS: &str = "\
:root{color-scheme:light dark;--ground:#ffffff;--surface:#f5f6f7;--line:#d9dee3;--edge:#7c8791;--ink:#14181c;--soft:#525c66;\
--failure:#b3201a;--failure-ground:#fbeae8;--oom:#54188f;--health:#b97404;--on-health:#14181c;--change:#1768b8;--runs:#7c8791;\
--gap-ink:#5b4a00;--gap-ground:#fdf4d0}\
@media screen and (prefers-color-scheme:dark){:root{--ground:#0e1114;--surface:#15191d;--line:#2b3239;--edge:#76828d;--ink:#e6eaee;--soft:#9fa9b3;\
--failure:#ff7a6b;--failure-ground:#35191a;--oom:#b98af5;--health:#f4cb6e;--on-health:#0e1114;--change:#a6d5ff;--runs:#66727e;\
--gap-ink:#f0d98a;--gap-ground:#2f2811}}";

const TEXT: &str = "\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:66rem;padding:1.5rem 1.25rem 3rem;font:14px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}\
h1{font-size:1.45rem;line-height:1.3;margin:0 0 .4rem}h2{font-size:1.15rem;line-height:1.35;margin:1.8rem 0 .4rem}\
h3{font-size:.95rem;margin:1rem 0 .25rem}p{margin:.3rem 0}h1,h2,td,li,p,dd{overflow-wrap:anywhere}\
.soft,figcaption,dt,th{color:var(--soft)}a{color:inherit}\
section{border-left:4px solid var(--line);padding-left:1rem;margin-top:1.8rem}section h2{margin-top:0}section.open{border-color:var(--failure)}\
.badge{display:inline-block;border:1px solid var(--edge);border-radius:1rem;padding:0 .6rem;font-size:.85rem;font-weight:600;margin-right:.3rem}\
.open>p>.badge.how,.open>p>.badge.how+.badge{color:var(--failure)}.shape{color:var(--edge)}.open .shape,tr.open td{color:var(--failure)}\
.warn{border-left:4px solid;padding:.35rem .7rem;margin:.5rem 0;color:var(--gap-ink);background:var(--gap-ground)}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.4rem 0;font-size:.92rem}dd{margin:0}ul{margin:.2rem 0;padding-left:1.2rem}\
.write{display:grid;grid-template-columns:1fr 1fr;gap:.6rem;margin-top:1.8rem}.write div{border:1px dashed var(--edge);min-height:4rem;padding:.3rem .6rem}.write h3,.write p{margin:0}\
pre{font:.8em/1.35 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid var(--line);padding-left:.6rem;margin:.2rem 0}tr.words p{margin:0}\
details{margin-top:1rem}summary{cursor:pointer}";

const TABLES: &str = "\
table{border-collapse:collapse;width:100%;font-size:.87rem;table-layout:fixed}\
th,td{border-bottom:1px solid var(--line);padding:.2rem .6rem .2rem 0;text-align:left;vertical-align:baseline}th{font-weight:600}\
.time,.id{font-variant-numeric:tabular-nums;white-space:nowrap}.id,code{font-family:ui-monospace,monospace;font-size:.82em}\
.course th:nth-child(1){width:8.2em}.course th:nth-child(2){width:20%}.course th:nth-child(4){width:11.5em}\
.over th:nth-child(1){width:13.5em}.over th:nth-child(2){width:7em}.over th:nth-child(3){width:16em}\
.diff th:nth-child(1){width:20%}.states th:nth-child(1){width:30%}.states th:nth-child(2){width:9em}\
tr.failure .what,tr.oom .what{font-weight:600}.course .sign{margin-right:.4em}";

const DRAWING: &str = "\
figure{margin:1rem 0;padding:.6rem;border:1px solid var(--line);border-radius:6px}\
figcaption{display:flex;flex-wrap:wrap;gap:.1rem .9rem;margin-top:.4rem;font-size:.8rem}.key{display:inline-flex;align-items:center;gap:.35em}\
.lanes{display:none;width:100%;height:auto;font:11px system-ui,sans-serif}.lanes.narrow{display:block;max-width:30rem}\
.defs{position:absolute}.sign{vertical-align:-2px;flex:none}.lanes .name{fill:var(--ink)}.hit{font-weight:600}svg text{fill:var(--soft)}\
svg .mark text{fill:var(--ground);font:700 10px system-ui,sans-serif}svg .health text{fill:var(--on-health)}svg .stop text{fill:var(--soft)}svg .deaf text{fill:var(--ink)}svg .recorder text{fill:var(--gap-ink)}\
.mark.failure{fill:var(--failure)}.mark.oom{fill:var(--oom)}.mark.health{fill:var(--health)}.mark.change{fill:var(--change)}\
.mark.stop>:first-child{fill:var(--ground);stroke:var(--runs)}.mark.deaf>:first-child{fill:var(--ground);stroke:var(--ink);stroke-width:2}.mark.recorder>:first-child{fill:var(--gap-ground);stroke:var(--gap-ink)}\
.lead{fill:none;stroke:var(--soft)}.lead.failure{stroke:var(--failure)}.lead.oom{stroke:var(--oom)}.lead.health{stroke:var(--health)}.lead.change{stroke:var(--change)}\
.running,.paused{fill:var(--runs)}.waiting{fill:url(#waits)}.changing{fill:url(#often)}.unhealthy{fill:var(--health)}\
.down{fill:var(--ground);stroke:var(--failure)}svg .word{fill:var(--failure);font-weight:600}.ended{fill:none;stroke:var(--runs);stroke-dasharray:1 3}\
.stripe{fill:var(--failure)}.gap{fill:url(#gap)}.lost{fill:var(--gap-ground)}.hatch{fill:var(--gap-ink);opacity:.6}\
.during{fill:var(--failure-ground)}.edge{stroke:var(--failure)}.edge.over{opacity:.35}.grid{stroke:var(--line)}\
@media(min-width:40rem){.lanes.narrow{display:none}.lanes.mid{display:block}}\
@media screen and (min-width:60rem){.lanes.mid{display:none}.lanes.wide{display:block}}";

/// A row is lines there: time and text flow, an id stands below.
const SMALL: &str = "\
@media screen and (max-width:44rem){.write,dl{grid-template-columns:1fr}dt{margin-top:.3rem}\
table,tbody,tr{display:block}thead{display:none}tr{padding:.25rem 0;border-bottom:1px solid var(--line)}td{display:inline;padding:0;border:0}\
.course td:nth-child(2){font-weight:600}td.id,.over td:last-child,.states td:last-child,.diff td:first-child,.words td{display:block}td:empty{display:none}\
.diff td:first-child{color:var(--soft)}.diff td:nth-child(2)::after{content:\" → \"}.over td:nth-child(2)::before{content:\" \"}.over td:nth-child(3)::before{content:\", \"}}";

const PAPER: &str = "\
@media print{@page{margin:11mm}:root{--ink:#000;--soft:#444;--line:#bbb}\
body{font-size:8.5pt;line-height:1.3;padding:0;max-width:none}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}\
h1{font-size:13pt}h2{font-size:10.5pt}h3{font-size:9pt;margin:.4rem 0 .1rem}section,.write{margin-top:.8rem}figure{margin:.5rem 0;padding:.2rem;border:0}\
.lanes.narrow{display:none}.lanes.mid{display:block}th,td{padding:.06rem .5rem .06rem 0}tr,figure,.write div{break-inside:avoid}h2,h3{break-after:avoid}thead{display:table-header-group}\
.write{grid-template-columns:repeat(4,1fr)}.write div{min-height:2.2rem}dl{font-size:8pt;gap:0 .6rem}table{font-size:7.5pt}td.id,code{font-size:6.8pt}details{display:none}a{text-decoration:none}\
.course .sign{height:10px;width:auto}}";

pub(super) const PARTS: [&str; 6] = [COLOURS, TEXT, TABLES, DRAWING, SMALL, PAPER];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_page() {
        let (light, dark) = COLOURS.split_once("@media").unwrap();
        let names: Vec<&str> = light.split("--").skip(1).filter_map(|rest| rest.split(':').next()).collect();
        assert!(names.len() > 14 && dark.matches("--").count() == names.len(), "{names:?}");
        let page = include_str!("../ui/style.css");
        for name in names {
            let token = page.split(&format!("--{name}: light-dark(")).nth(1).and_then(|rest| rest.split(')').next()).unwrap();
            let (day, night) = token.split_once(", ").unwrap();
            let is = |colour: &str| format!("--{name}:{colour}");
            assert!(light.contains(&is(day)) && dark.contains(&is(night)), "{name} is {token}");
        }
    }
}
