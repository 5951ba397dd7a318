//! Readers, who go from server to server with the id that they got last.

use crate::server::Server;
use crate::setup::Sabotage;
use rand::RngExt as _;
use rand::rngs::StdRng;

/// Asks any server for what follows `cursor`, which it then is. One that has not got so far lets it wait.
pub(crate) fn read(cursor: &mut usize, servers: &mut [Server], random: &mut StdRng, sabotage: Option<Sabotage>) -> Result<(), String> {
    let nth = random.random_range(0..servers.len());
    let server = &mut servers[nth];
    if !server.up {
        return Ok(());
    }
    let has = if sabotage == Some(Sabotage::ShowsEarly) { server.records.len() } else { server.durable };
    if has < server.shown {
        return Err(format!("server {nth} went back from record {} to {has}", server.shown));
    }
    server.shown = has;
    *cursor = (*cursor).max(has);
    Ok(())
}
