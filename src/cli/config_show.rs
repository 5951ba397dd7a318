//! `config show`: what `serve` would run with, and why.

use crate::config::{ServeArgs, Settings};
use std::io::Write as _;

pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let settings = Settings::resolve(args, &|name| std::env::var_os(name))?;
    let row = |(key, value, origin): (&str, String, crate::config::Origin)| {
        let remark = settings.remark(key).map_or_else(String::new, |remark| format!(": {remark}"));
        (super::escape::escape_json(&format!("{key} = {value}")).into_owned(), format!("{origin}{remark}"))
    };
    let rows: Vec<_> = settings.rows().into_iter().map(row).collect();
    let width = rows.iter().map(|(setting, _)| setting.chars().count()).max().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for (setting, origin) in rows {
        writeln!(out, "{setting:<width$}  # {}", super::escape::escape(&origin))?;
    }
    out.flush()?;
    // Shown first and checked then, so that the origin of a bad value can be seen.
    settings.check()?;
    Ok(())
}
