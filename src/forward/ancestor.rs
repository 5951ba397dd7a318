//! Where the forwarding of a copy begins. Its records up to the fork have the id of the log whose copy it is,
//! and what the hub has of that log is not sent again as far as it is proven to be the same: by the hash
//! chain, whose value after a record stands for all records up to it.

use super::Identity;
use super::machine::OnHub;
use super::trouble::Trouble;
use crate::cursor::{LogId, Sequence};
use crate::follow::{Base, Key};
use crate::log::EventLog;
use crate::parcel::{Head, mark};
use crate::stream::{FleetStream, StreamError, Subject};

/// Ancestors that are asked for, the newest.
const MAX_ASKED: usize = 8;

/// What is proven to be on the hub under the id of an ancestor of this log; nothing where nothing is.
pub(super) async fn on_hub(
    log: &dyn EventLog,
    hub: &dyn FleetStream,
    identity: &Identity,
    ancestors: &[(LogId, Sequence)],
) -> Result<Option<OnHub>, Trouble> {
    let base = match hub.newest(&Subject::base(&identity.tenant).map_err(unfit)?).await {
        Ok(base) => base.and_then(|message| Base::of_message(&message).ok()),
        // A key without this right costs repeats and no record.
        Err(StreamError::Refused(_)) => None,
        Err(error) => return Err(Trouble::of(&error)),
    };
    let (mut last, mut is_newest) = (0, None);
    for (ancestor, fork) in ancestors.iter().rev().take(MAX_ASKED) {
        let newest = hub.newest(&identity.subject(*ancestor).map_err(unfit)?).await.map_err(|error| Trouble::of(&error))?;
        let told = newest.map(|newest| newest.head.parse::<Head>().ok().map(|head| (head.last(), head.after)));
        let key = Key { host: identity.host.clone(), log: format!("{:08x}", ancestor.prefix()) };
        let based = base.as_ref().and_then(|base| base.state.logs.get(&key));
        let based = based.map(|log| log.chain.map(|chain| (log.next - 1, mark(&chain))));
        for known in [told, based].into_iter().flatten() {
            let proven = match known.filter(|(seq, _)| (1..=*fork).contains(seq)) {
                Some((seq, after)) => {
                    let here = log.chain_around(seq).await.map_err(|error| Trouble::Log(error.to_string()))?;
                    here.filter(|(_, here)| mark(here) == after).map(|_| seq)
                }
                None => None,
            };
            // The first that is known is the newest that the hub has of the newest ancestor.
            is_newest.get_or_insert(proven.is_some());
            last = last.max(proven.unwrap_or(0));
        }
    }
    Ok((last > 0).then_some(OnHub { last, is_newest: is_newest == Some(true) }))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn unfit(error: crate::stream::SubjectError) -> Trouble {
    Trouble::Refused(error.to_string())
}
