//! In which time zone times are read and shown.

use super::ending::Usage;
use crate::time::{Tz, zone};

/// Which time zone.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Clock {
    /// Read and show times in this zone, such as Europe/Berlin [default: the zone of this machine, or of $TZ]
    #[arg(long, value_name = "ZONE", help_heading = "Times")]
    tz: Option<String>,
    /// Read and show times in UTC
    #[arg(long, conflicts_with = "tz", help_heading = "Times")]
    utc: bool,
}

impl Clock {
    pub(super) fn zone(&self) -> Result<Tz, Usage> {
        match &self.tz {
            Some(name) => zone(name).map_err(|e| Usage(format!("--tz: {e}"))),
            None if self.utc => Ok(Tz::UTC),
            None => Ok(of_this_machine(std::env::var("TZ").ok().as_deref(), || iana_time_zone::get_timezone().ok())),
        }
    }
}

/// `$TZ` if it names a zone, else what the system says, else UTC.
fn of_this_machine(variable: Option<&str>, system: impl FnOnce() -> Option<String>) -> Tz {
    let name = variable.map(|text| {
        let text = text.strip_prefix(':').unwrap_or(text);
        text.split_once("zoneinfo/").map_or(text, |(_, name)| name)
    });
    match name {
        // Empty, it stands for UTC (POSIX).
        Some("") => Tz::UTC,
        name => name.and_then(|name| zone(name).ok()).or_else(|| zone(&system()?).ok()).unwrap_or(Tz::UTC),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_before_the_system() {
        let system = || Some("Asia/Tokyo".to_owned());
        for (variable, expected) in [
            (Some("Europe/Berlin"), Tz::Europe__Berlin),
            (Some(":Europe/Berlin"), Tz::Europe__Berlin),
            (Some("/usr/share/zoneinfo/Europe/Berlin"), Tz::Europe__Berlin),
            (Some(""), Tz::UTC),
            (Some("UTC"), Tz::UTC),
            (Some("Mars/Olympus"), Tz::Asia__Tokyo),
            (None, Tz::Asia__Tokyo),
        ] {
            assert_eq!(of_this_machine(variable, system), expected, "{variable:?}");
        }
        assert_eq!(of_this_machine(None, || None), Tz::UTC);
    }
}
