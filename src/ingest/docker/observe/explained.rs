//! What an inspection says of why a container is as it is, and of what it needs: its part of an `observed`
//! record (docs/records.md, "State").

use super::snapshot::Snapshot;
use crate::event::shortened;
use crate::ingest::docker::lists::{Fields, MAX_FIELD_BYTES};

/// Networks, and mounts, that are named.
const MAX_NAMED: usize = 64;

impl Snapshot {
    /// With that.
    pub(super) fn explained(self, container: &Fields<'_>) -> Self {
        let (config, host, state) = (container.object("Config"), container.object("HostConfig"), container.object("State"));
        let counted = |text: Option<String>| text.filter(|count| count != "0");
        let mut snapshot = self
            .with("error", state.text("Error"))
            .with("oomKilled", state.is("OOMKilled").then(|| "true".to_owned()))
            .with("restartCount", counted(container.text("RestartCount")))
            .with("restartPolicy", restart_policy(&host))
            .with("memory", counted(host.text("Memory")))
            .with("stopSignal", config.text("StopSignal"))
            .with("networks", networks(container))
            .with("mounts", mounts(container));
        let health = state.object("Health");
        if let Some(status) = health.text("Status").filter(|status| status != "none") {
            snapshot.set("health", Some(status));
            if let Some(probe) = health.objects("Log").last() {
                snapshot.set("probeExitCode", probe.text("ExitCode"));
                snapshot.set("probe", probe.text("Output").map(|output| output.trim_end().to_owned()).filter(|output| !output.is_empty()));
            }
        }
        snapshot
    }
}

/// As `docker run --restart` takes it: `always`, `on-failure:3`.
fn restart_policy(host: &Fields<'_>) -> Option<String> {
    let policy = host.object("RestartPolicy");
    let name = policy.text("Name")?;
    Some(match policy.text("MaximumRetryCount").filter(|count| count != "0") {
        Some(count) => format!("{name}:{count}"),
        None => name,
    })
}

fn networks(container: &Fields<'_>) -> Option<String> {
    joined(container.object("NetworkSettings").object("Networks").keys().map(str::to_owned))
}

/// A volume by its name, anything else by where it is on the host, each with where it is in the container.
fn mounts(container: &Fields<'_>) -> Option<String> {
    joined(container.objects("Mounts").iter().filter_map(|mount| {
        let from = mount.text("Name").or_else(|| mount.text("Source"))?;
        Some(format!("{from}:{}", mount.text("Destination")?))
    }))
}

/// In one order, whatever the daemon's is.
fn joined(names: impl Iterator<Item = String>) -> Option<String> {
    let mut names: Vec<String> = names.take(MAX_NAMED).collect();
    names.sort_unstable();
    let text = names.join(",");
    (!text.is_empty()).then(|| shortened(&text, MAX_FIELD_BYTES).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::docker::observe::snapshot::Kind;
    use crate::time::Timestamp;

    fn explained(json: &str) -> String {
        let snapshot = Snapshot::labelled(Kind::Container, "c", Timestamp::MIN, [("error".to_owned(), "a label".to_owned())]);
        let seen = snapshot.explained(&Fields::of(json).unwrap());
        let attributes: Vec<String> = seen.attributes().iter().map(|(key, value)| format!("{key}={value}")).collect();
        attributes.join(" ")
    }

    /// As Engine 20.10 answers for a container that ran out of memory and has a health check.
    #[test]
    fn what_an_inspection_explains() {
        let json = r#"{"RestartCount":6,"HostConfig":{"Memory":25165824,"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}},
            "State":{"Status":"exited","OOMKilled":true,"Error":"","Health":{"Status":"unhealthy","Log":[
                {"ExitCode":0,"Output":"fine"},{"ExitCode":7,"Output":"no route\n"}]}},
            "Config":{"StopSignal":"SIGTERM"},"NetworkSettings":{"Networks":{"b":{},"a":null}},
            "Mounts":[{"Type":"volume","Name":"v","Source":"/x/v","Destination":"/data"},{"Type":"bind","Source":"/etc","Destination":"/host"}]}"#;
        assert_eq!(
            explained(json),
            "health=unhealthy kind=container memory=25165824 mounts=/etc:/host,v:/data networks=a,b oomKilled=true probe=no route \
             probeExitCode=7 restartCount=6 restartPolicy=on-failure:3 stopSignal=SIGTERM"
        );
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        for json in [
            "{}",
            r#"{"RestartCount":0,"HostConfig":{"Memory":0,"RestartPolicy":{"Name":""}},"State":{"Error":"","OOMKilled":false,"Health":{"Status":"none"}}}"#,
            r#"{"HostConfig":7,"State":[],"Mounts":{},"NetworkSettings":{"Networks":[]},"RestartCount":{}}"#,
        ] {
            assert_eq!(explained(json), "kind=container", "{json}");
        }
        assert_eq!(explained(r#"{"State":{"Error":"exec: \"nope\": not found"}}"#), "error=exec: \"nope\": not found kind=container");
    }

    #[test]
    fn any_number_and_length_has_a_bound() {
        let many: Vec<String> = (0..10_000).map(|n| format!(r#""{}{n}":{{}}"#, "x".repeat(100))).collect();
        let json = format!(r#"{{"NetworkSettings":{{"Networks":{{{}}}}},"State":{{"Error":"{}"}}}}"#, many.join(","), "e".repeat(1 << 20));
        assert!(explained(&json).len() < 3 * MAX_FIELD_BYTES);
    }
}
