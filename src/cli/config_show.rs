//! `config show`: what `serve` would run with, and why.

use super::escape::{escape, escape_json};
use crate::config::{Origin, ServeArgs, Settings};
use std::io::Write as _;

pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args, &|name| std::env::var_os(name))?;
    let mut out = std::io::stdout().lock();
    out.write_all(shown(&settings).as_bytes())?;
    out.flush()?;
    // Shown first and checked then, so that the origin of a bad value can be seen.
    settings.check()?;
    Ok(())
}

/// A configuration file with a comment on each value.
pub(super) fn shown(settings: &Settings) -> String {
    let row = |(key, value, origin): (&str, String, Origin)| {
        let remark = settings.remark(key).map_or_else(String::new, |remark| format!(": {remark}"));
        (escape_json(&format!("{key} = {value}")).into_owned(), format!("{origin}{remark}"))
    };
    let rows: Vec<_> = settings.rows().into_iter().map(row).collect();
    let width = rows.iter().map(|(setting, _)| setting.chars().count()).max().unwrap_or(0);
    let line = |(setting, origin): &(String, String)| format!("{setting:<width$}  # {}\n", escape(origin));
    rows.iter().map(line).collect::<Vec<_>>().concat()
}
