//! What to say where nothing was found: what is close to what was asked for. It never widens a question by
//! itself.

use super::printer::Printer;
use super::render::RecordLine;
use crate::client::{Client, HistoryQuery, Order, Selection};
use crate::event::EventView;
use crate::filter::{Filter, closest, contains_caseless};
use std::collections::BTreeSet;

/// Newest records that are looked through for what may have been meant.
const SAMPLE_RECORDS: usize = 1000;
/// Names that are shown of those that are close; more are counted.
const MAX_SHOWN: usize = 3;

/// Docker's types, and ours.
const TYPES: [&str; 12] =
    ["builder", "config", "container", "daemon", "image", "network", "node", "plugin", "recorder", "secret", "service", "volume"];
/// Docker's actions, without what follows a colon, and ours.
const ACTIONS: [&str; 43] = [
    "attach",
    "baseline",
    "clock",
    "commit",
    "connect",
    "copy",
    "create",
    "delete",
    "destroy",
    "detach",
    "die",
    "disable",
    "disconnect",
    "enable",
    "exec_create",
    "exec_detach",
    "exec_die",
    "exec_start",
    "export",
    "gap",
    "health_status",
    "import",
    "install",
    "kill",
    "load",
    "mount",
    "observed",
    "oom",
    "pause",
    "prune",
    "pull",
    "push",
    "reload",
    "remove",
    "rename",
    "resize",
    "restart",
    "resumed",
    "save",
    "start",
    "stop",
    "unmount",
    "unpause",
];
/// Actions by which every container, network and volume gets known.
const NAMING: [&str; 7] = ["event=create", "event=start", "event=die", "event=destroy", "event=connect", "event=rename", "event=observed"];

/// Says on stderr that nothing was found, and why that may be.
pub(super) async fn explain(client: &Client, selection: &Selection, printer: &mut Printer) -> std::io::Result<()> {
    let mut said = false;
    for hint in hints(client, selection).await {
        printer.note(&format!("nothing found: {hint}"))?;
        said = true;
    }
    if said { Ok(()) } else { printer.note("nothing found") }
}

/// The newest records of these times that pass a filter; none where the server cannot say.
async fn sample(client: &Client, selection: &Selection, filter: Filter, limit: usize) -> Vec<Box<serde_json::value::RawValue>> {
    let selection = Selection { filter, ..selection.clone() };
    let query = HistoryQuery { selection, order: Order::Desc, limit, ..HistoryQuery::default() };
    client.history(&query).await.map(|page| page.records).unwrap_or_default()
}

async fn hints(client: &Client, selection: &Selection) -> Vec<String> {
    let any_time = Selection::default();
    let newest = sample(client, selection, Filter::default().without("noise", "*"), SAMPLE_RECORDS).await;
    if newest.is_empty() && sample(client, selection, Filter::default(), 1).await.is_empty() {
        let newest = sample(client, &any_time, Filter::default(), 1).await;
        let time = newest.first().and_then(|line| RecordLine::parse(line.get())).map(|(record, _)| record.time());
        return vec![time.map_or_else(
            || "the log is empty".to_owned(),
            |time| format!("there is no event at all in this time; the newest one is of {time}"),
        )];
    }
    let naming: Vec<String> = NAMING.iter().map(|term| (*term).to_owned()).collect();
    let naming = Filter::from_terms(&naming, &[]).unwrap_or_default();
    let naming = sample(client, &any_time, naming, SAMPLE_RECORDS).await;
    let records: Vec<_> = naming.iter().chain(&newest).filter_map(|line| RecordLine::parse(line.get())).collect();
    selection.filter.terms().filter_map(|(key, value)| hint(key, value, &known(key, &records))).collect()
}

/// Values that a key has in these records, and those that it may have at all.
fn known(key: &str, records: &[(RecordLine<'_>, EventView<'_>)]) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut add = |text: Option<&str>| out.extend(text.filter(|text| !text.is_empty()).map(str::to_owned));
    for (record, event) in records {
        let kind = event.kind.as_deref().unwrap_or("");
        match key {
            "type" => add(event.kind.as_deref()),
            // Not what was run, which may be long.
            "event" => add(event.action.as_deref().and_then(|action| action.split(':').next())),
            "source" => add(Some(record.source())),
            "scope" => add(event.scope.as_deref()),
            "image" => add(event.attribute(if kind == "image" { "name" } else { "image" })),
            "project" => add(event.attribute("com.docker.compose.project")),
            "exit" => add(event.attribute("exitCode")),
            "label" => event.attributes.iter().for_each(|(name, _)| add(Some(name))),
            "text" | "noise" => {}
            _ => {
                if kind == key || event.attribute("kind") == Some(key) {
                    add(event.attribute("name"));
                }
                if key == "service" {
                    add(event.attribute("com.docker.compose.service"));
                }
            }
        }
    }
    let words: &[&str] = match key {
        "type" => &TYPES,
        "event" => &ACTIONS,
        "scope" => &["local", "swarm"],
        "noise" => &["healthcheck"],
        _ => &[],
    };
    out.extend(words.iter().map(|word| (*word).to_owned()));
    out
}

/// What may have been meant by a value that is not known; `None` for one that is, or when nothing is close.
fn hint(key: &str, value: &str, known: &BTreeSet<String>) -> Option<String> {
    let by_beginning = !matches!(key, "type" | "event" | "source" | "scope" | "image" | "project" | "exit" | "label" | "noise" | "text");
    let (text, star) = value.strip_suffix('*').map_or((value, false), |text| (text, true));
    // Of a label it is the name that is looked at.
    let text = if key == "label" { text.split('=').next().unwrap_or(text) } else { text };
    let is_known = |known: &String| if star || by_beginning { known.starts_with(text) } else { known == text };
    let inner = text.trim_matches('*');
    if inner.is_empty() || matches!(key, "text" | "exit") || known.iter().any(is_known) {
        return None;
    }
    let containing: Vec<&str> = known.iter().map(String::as_str).filter(|name| contains_caseless(name, inner)).collect();
    let what = if by_beginning { format!("no {key}'s name begins with {text:?}") } else { format!("no {key} is {text:?}") };
    Some(match (containing.as_slice(), closest(inner, known.iter().map(String::as_str))) {
        ([], None) if key == "type" || key == "event" => what,
        ([], None) => return None,
        ([], Some(close)) => format!("{what}; did you mean {key}={close}?"),
        ([one], _) => format!("{what}; one name contains it: {one}"),
        (many, _) => {
            let shown = many.iter().take(MAX_SHOWN).copied().collect::<Vec<_>>().join(", ");
            let more = if many.len() > MAX_SHOWN { ", …" } else { "" };
            format!("{what}; {} names contain it: {shown}{more}", many.len())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn says_what_is_close() {
        let workers = names(&["shop-worker-1", "shop-worker-2", "batch-WORKER", "api"]);
        for (key, value, known, expected) in [
            ("type", "contaner", names(&TYPES), Some("no type is \"contaner\"; did you mean type=container?")),
            ("type", "Container", names(&TYPES), Some("no type is \"Container\"; one name contains it: container")),
            ("type", "qqq", names(&TYPES), Some("no type is \"qqq\"")),
            ("event", "died", names(&ACTIONS), Some("no event is \"died\"; did you mean event=die?")),
            ("event", "exec_*", names(&ACTIONS), None),
            (
                "container",
                "worker",
                workers.clone(),
                Some("no container's name begins with \"worker\"; 3 names contain it: batch-WORKER, shop-worker-1, shop-worker-2"),
            ),
            (
                "container",
                "*worker*",
                workers.clone(),
                Some("no container's name begins with \"*worker\"; 3 names contain it: batch-WORKER, shop-worker-1, shop-worker-2"),
            ),
            ("container", "shop-w", workers.clone(), None),
            ("container", "apj", workers.clone(), Some("no container's name begins with \"apj\"; did you mean container=api?")),
            ("container", "f4155d9c1b0e", workers, None),
            ("project", "other", names(&["shop"]), None),
            ("project", "shopp", names(&["shop"]), Some("no project is \"shopp\"; did you mean project=shop?")),
            ("label", "maintaner=me", names(&["maintainer"]), Some("no label is \"maintaner\"; did you mean label=maintainer?")),
            ("text", "x", names(&["y"]), None),
        ] {
            assert_eq!(hint(key, value, &known).as_deref(), expected, "{key}={value}");
        }
        assert!(ACTIONS.is_sorted());
    }
}
