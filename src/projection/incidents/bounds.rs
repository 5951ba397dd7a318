//! Thresholds and bounds of the fold, each with its reason (docs/incidents.md). Times are nanoseconds.

pub(super) const MILLI: i64 = 1_000_000;
pub(super) const SECOND: i64 = 1000 * MILLI;
pub(super) const MINUTE: i64 = 60 * SECOND;

/// How long a `die` waits for what comes late or tells why: `oom`, `stop`, `destroy`. Also how long a
/// `network disconnect` waits for the `die` that explains it.
pub(super) const GRACE: i64 = 2 * SECOND;
/// How long after a SIGKILL through the API a death counts as asked for.
pub(super) const ASKED_BY_KILL: i64 = 30 * SECOND;
/// How long after another fatal signal through the API.
pub(super) const ASKED_BY_SIGNAL: i64 = 120 * SECOND;
/// How long after a signal that is not fatal by itself a death with its code counts as its echo.
pub(super) const ECHO: i64 = SECOND;
/// A `stop` and the `oom` of one death may come in either order.
pub(super) const OOM_NEAR: i64 = 10 * SECOND;
/// Failures that make a loop, and the longest way from the first to the last of them.
pub(super) const LOOP: usize = 3;
pub(super) const LOOP_WITHIN: i64 = 15 * MINUTE;
/// Clean exits that make a restart loop, if the waits between them grow.
pub(super) const CLEAN_LOOP: usize = 5;
/// Up for so long is well, at least and at most; between them twice the longest run of the incident.
pub(super) const WELL_MIN: i64 = 10 * SECOND;
pub(super) const WELL_MAX: i64 = 10 * MINUTE;
/// What an unhealthy container's run counts as: a check takes its interval to fail again.
pub(super) const UNHEALTHY_RUN: i64 = 15 * SECOND;
/// The daemon's waits between restarts: the first, the longest, and what a busy machine adds.
pub(super) const LADDER_FIRST: i64 = 100 * MILLI;
pub(super) const LADDER_LAST: i64 = 60 * SECOND;
pub(super) const LADDER_SLACK: i64 = 5 * SECOND;
/// A run of this length sets the daemon's waits back to the first.
pub(super) const LADDER_RESET: i64 = 10 * SECOND;
/// Removed or stopped, and made again or started within this time: the same story.
pub(super) const REPLACED: i64 = 120 * SECOND;
/// A container that took another's place and was not started for so long was left behind.
pub(super) const NEVER_STARTED: i64 = 60 * SECOND;
/// A failure this soon after a change of its subject is told with it.
pub(super) const CHANGED: i64 = 10 * MINUTE;
/// A failure this soon after something around it changed (network, volume, limits) is told with it.
pub(super) const SURROUNDED: i64 = 2 * MINUTE;
/// Failures of one project that begin this soon after the first are told together.
pub(super) const CASCADE: i64 = 60 * SECOND;
/// A member's ill health may be seen this much before the death that it follows.
pub(super) const CASCADE_EARLY: i64 = 5 * SECOND;
/// So many subjects of different projects that fail within so long are one incident.
pub(super) const MASS: usize = 5;
pub(super) const MASS_WITHIN: i64 = 5 * SECOND;
/// What began on other hosts this soon after the first is told as one: a deploy takes minutes to reach them
/// all, and clocks of hosts differ.
pub(super) const ACROSS: i64 = 5 * MINUTE;
/// Times that a subject turned unhealthy, each this soon after the one before, that are flapping.
pub(super) const FLAPS: usize = 3;
pub(super) const FLAP_WITHIN: i64 = 5 * MINUTE;
/// Up, or healthy, for so many times as long as ever before a failure of the same kind: the next one is
/// another trouble.
pub(super) const ANOTHER: i64 = 3;
/// Less between the two kills of a stop is no program that did not obey but a timeout of 0.
pub(super) const FORCED: i64 = 500 * MILLI;
/// A pause that is worth a notice.
pub(super) const LONG_PAUSE: i64 = 60 * MINUTE;
/// The daemon's own stopping: its kills follow each other this closely, and the last death comes this shortly
/// before the end of the stream (Engine 28 keeps it open 5 s longer).
pub(super) const BURST: i64 = 2 * SECOND;
pub(super) const LAST_DEATH: i64 = 10 * SECOND;
/// After a reconnect: until then deaths belong to the daemon's restart, and then the story is told.
pub(super) const AFTERMATH: i64 = 20 * SECOND;
/// When the story of a daemon's restart is first told, where no full look closes it earlier.
pub(super) const FIRST_LOOK: i64 = 5 * SECOND;
/// A gap this near an incident's ends may have swallowed a part of it.
pub(super) const NEAR_GAP: i64 = 5 * SECOND;
/// Replayed records carry one time of receipt; what counts from it begins after this much more.
pub(super) const REPLAY: i64 = SECOND;

/// Nothing refers to an incident that is over for so long.
pub(super) const SETTLED: i64 = 15 * MINUTE;
/// Incidents of one host that are taken out at once.
pub const SETTLED_AT_ONCE: usize = 1000;

/// Docker hosts that are followed; records of others are passed over.
pub const MAX_SOURCES: usize = 1000;
/// Containers that are known of one host, four times as many as Docker's largest hosts run. Beyond it the one
/// that is gone or was heard of longest ago goes.
pub const MAX_CONTAINERS: usize = 4_000;
/// Subjects that are known of one host.
pub const MAX_SUBJECTS: usize = 8_000;
/// Incidents of one host that are kept, open and closed; beyond it the closed one that began first goes, and
/// where all are open nothing new is opened but counted.
pub const MAX_INCIDENTS: usize = 10_000;
/// Open incidents of one host.
pub const MAX_OPEN: usize = 2_000;
/// Bytes of one text that is kept.
pub const MAX_TEXT: usize = 200;
/// Bytes of all attributes that are kept of one container.
pub const MAX_LABELS: usize = 4096;
/// Deaths that are kept of one incident: the first and the last; the rest is counted.
pub const FIRST_DEATHS: usize = 8;
/// Of the last ones.
pub const LAST_DEATHS: usize = 56;
/// Records that an incident names as its evidence, the first ones; the rest is counted.
pub const MAX_EVIDENCE: usize = 64;
/// Changes that are kept of one subject.
pub const MAX_CHANGES: usize = 8;
/// Differences that one change names.
pub const MAX_DIFFERENCES: usize = 16;
/// What happened around containers lately, of one host.
pub const MAX_SURROUNDINGS: usize = 64;
/// Gaps that are kept of one host.
pub const MAX_GAPS: usize = 64;
/// Deaths asked for that are kept of one host, to know the daemon's own when its stream ends.
pub const MAX_ASKED: usize = 256;
/// Small lists: signals sent to one run, exit codes, phases, containers, causes, reasons, networks and
/// volumes.
pub const MAX_FEW: usize = 16;
/// Actions that are kept of one incident.
pub const MAX_ACTIONS: usize = 64;
/// Starts that are kept of one container, the last ones.
pub const MAX_RESTARTS: usize = 64;
/// Images whose id is known by name.
pub const MAX_TAGS: usize = 1000;
/// Incidents that one `cascade`, `mass` or `host` names.
pub const MAX_MEMBERS: usize = 500;
