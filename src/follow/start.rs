//! Where a new log of the fleet would begin, for whoever has to know before it does.

use super::error::FollowError;
use super::find::Start;
use super::task::begin;
use crate::log::{Follow, Ids};
use crate::shutdown::Shutdown;
use crate::stream::FleetStream;

/// Where a follower begins that has nothing yet: with the fleet, or with the oldest base behind which the
/// stream is whole; and the ids of the records before that and after. It waits for a hub that does not
/// answer; `None` when work ends meanwhile. Where there is no fleet yet, one begins.
///
/// # Errors
/// When the hub refuses what is needed.
pub async fn starting_point(hub: &dyn FleetStream, tenant: &str, shutdown: &Shutdown) -> Result<Option<(Follow, Ids)>, FollowError> {
    let of = |(start, ancestors): (Start, _)| (start.follow(), Ids { log: start.fleet, ancestors });
    Ok(begin(hub, tenant, shutdown).await?.map(of))
}
