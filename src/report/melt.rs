//! Loops as one row: the same failure and the same recovery of one container again and again.

use super::acts::Act;
use super::item::Item;
use super::words::duration;
use std::collections::BTreeMap;

/// Turns of a loop from which on those between the first and the last are one row.
const TURNS: usize = 4;

/// One failure and what followed it, until the next one.
struct Turn {
    /// Places of its records.
    places: Vec<usize>,
    /// What it was made of.
    made_of: Vec<(Act, String)>,
}

/// Melts loops. Items come in order; what is melted into another is marked as folded.
pub(super) fn melt(items: Vec<Item>) -> Vec<Item> {
    let mut by_container: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        if !item.container.is_empty() {
            by_container.entry(&item.container).or_default().push(place);
        }
    }
    let mut melted: BTreeMap<usize, Option<(u64, String)>> = BTreeMap::new();
    for places in by_container.values() {
        for run in runs(&turns(&items, places)) {
            melt_run(&items, run, &mut melted);
        }
    }
    let mut out = Vec::with_capacity(items.len());
    for (place, mut item) in items.into_iter().enumerate() {
        match melted.remove(&place) {
            None => out.push(item),
            Some(Some((folded, text))) => {
                (item.folded, item.text) = (folded, text);
                out.push(item);
            }
            Some(None) => {}
        }
    }
    out
}

/// The turns of one container. A turn ends with the next failure, and where something else happened.
fn turns(items: &[Item], places: &[usize]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut closed = true;
    for place in places {
        let Some(item) = items.get(*place) else { continue };
        let fails = matches!(item.act, Act::Die if item.failure) || item.act == Act::Oom || item.act == Act::Unhealthy;
        let mends = matches!(item.act, Act::Start | Act::Healthy);
        if item.plain && (fails || mends) {
            let recovered = turns.last().is_some_and(|turn| turn.made_of.iter().any(|(act, _)| matches!(act, Act::Start | Act::Healthy)));
            if closed || (fails && recovered) {
                // Nothing begins with a recovery.
                if !fails {
                    turns.push(Turn { places: vec![*place], made_of: Vec::new() });
                    closed = true;
                    continue;
                }
                turns.push(Turn { places: Vec::new(), made_of: Vec::new() });
                closed = false;
            }
            if let Some(turn) = turns.last_mut() {
                turn.places.push(*place);
                turn.made_of.push((item.act, item.kind.clone()));
            }
        } else {
            // A turn with something else in it is like no other.
            turns.push(Turn { places: vec![*place], made_of: Vec::new() });
            closed = true;
        }
    }
    turns
}

/// Turns that follow each other and are made of the same.
fn runs(turns: &[Turn]) -> impl Iterator<Item = &[Turn]> {
    turns.chunk_by(|a, b| !a.made_of.is_empty() && a.made_of == b.made_of).filter(|run| run.len() >= TURNS)
}

fn melt_run(items: &[Item], run: &[Turn], melted: &mut BTreeMap<usize, Option<(u64, String)>>) {
    let Some(middle) = run.get(1..run.len() - 1) else { return };
    let places: Vec<usize> = middle.iter().flat_map(|turn| &turn.places).copied().collect();
    let Some((first, others)) = places.split_first() else { return };
    let Some(turn) = middle.first() else { return };
    let did: Vec<&str> = turn.made_of.iter().map(|(_, kind)| kind.as_str()).collect();
    let wait = middle.last().and_then(|turn| last_wait(items, turn));
    let wait = wait.map_or_else(String::new, |wait| format!("; the last wait was {wait}"));
    let text = format!("… {} more times: {}{wait}", middle.len(), did.join(", "));
    melted.insert(*first, Some((others.len() as u64, text)));
    melted.extend(others.iter().map(|place| (*place, None)));
}

/// From a death to the start after it.
fn last_wait(items: &[Item], turn: &Turn) -> Option<String> {
    let of = |wanted: Act| turn.places.iter().filter_map(|place| items.get(*place)).find(|item| item.act == wanted);
    let (died, started) = (of(Act::Die)?, of(Act::Start)?);
    Some(duration(started.time.since(died.time)))
}
