//! `tail --speed`: an incident as it came, to its end, also through a kill of the server.

use super::{printed, refused, shipslog, succeed};
use crate::dockerd::Background;
use crate::replay::{incident, middle};
use crate::support::wait_for;

#[tokio::test(flavor = "multi_thread")]
async fn tail_replays_an_incident_and_ends() {
    let (_dir, mut ship) = incident().await;
    let range = format!("--{}", middle().replace('=', " ").replace('&', " --"));
    let stored: Vec<_> = ship.export(&format!("&{}", middle())).await.into_values().collect();
    let line = format!("tail {range} --speed 1000 -o json");
    assert_eq!(succeed(&mut shipslog(&ship.url, &line), &line), printed(&stored));
    let line = format!("tail {range} --follow -o json");
    assert_eq!(succeed(&mut shipslog(&ship.url, &line), &line), printed(&stored), "an end needs no speed");
    let line = format!("tail {range} -n 3 -o json");
    assert_eq!(succeed(&mut shipslog(&ship.url, &line), &line), printed(&stored[98..]));

    // Slow enough for the kill to fall into it.
    let tail = Background::start(&mut shipslog(&ship.url, &format!("tail {range} --speed 100 -f type=network -o json")));
    wait_for("some events", async || (tail.lines().len() > 3).then_some(())).await;
    ship.kill();
    ship.restart();
    let output = tail.wait();
    let (out, remarks) = (super::text(&output.stdout), super::text(&output.stderr));
    let stored: Vec<_> = ship.selected(&format!(r#"&{}&filters={{"type":["network"]}}"#, middle())).await.into_values().collect();
    assert_eq!(out, printed(&stored));
    assert!(remarks.contains("trying again\n") && remarks.ends_with("-- connected again\n"), "{remarks}");
    assert_eq!(output.status.code(), Some(0));

    let (code, why) = refused(&mut shipslog(&ship.url, "tail --since 1h --speed 1001"));
    assert!(code == 2 && why.contains("must be a number from 1 to 1000"), "{code} {why}");
}
