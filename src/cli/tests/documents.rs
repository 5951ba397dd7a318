//! docs/cli.md and docs/configuration.md against the program. What stands between `<!-- generated: NAME -->`
//! and `<!-- end -->` in them is what the program says of itself; `SHIPSLOG_WRITE_DOCS=1 cargo test --lib
//! documents` writes it.

use super::super::{Cli, config_show};
use crate::config::{ServeArgs, Settings};
use clap::{Arg, Command, CommandFactory as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const END: &str = "<!-- end -->\n";

/// Generated texts by name.
type Blocks = BTreeMap<String, String>;

#[test]
fn the_command_line_is_documented() {
    assert_current("docs/cli.md", &command_line());
}

#[test]
fn the_configuration_is_documented() {
    assert_current("docs/configuration.md", &configuration());
}

fn assert_current(file: &str, blocks: &Blocks) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let there = std::fs::read_to_string(&path).unwrap();
    let current = woven(file, &there, blocks);
    if std::env::var_os("SHIPSLOG_WRITE_DOCS").is_some() {
        std::fs::write(&path, &current).unwrap();
    } else {
        let differs = there.lines().zip(current.lines()).find(|(there, current)| there != current);
        assert!(there == current, "{file} is out of date at {differs:#?}\nSHIPSLOG_WRITE_DOCS=1 cargo test --lib documents writes it");
    }
}

/// The document with its generated parts made again. Each must have one place.
fn woven(file: &str, text: &str, blocks: &Blocks) -> String {
    let mut parts = text.split("<!-- generated: ");
    let mut out = parts.next().unwrap().to_owned();
    let mut left = blocks.clone();
    for part in parts {
        let (name, rest) = part.split_once(" -->\n").unwrap();
        let (_, rest) = rest.split_once(END).unwrap_or_else(|| panic!("{file}: {name} has no end"));
        let block = left.remove(name).unwrap_or_else(|| panic!("{file}: there is nothing (more) to say of {name:?}"));
        write!(out, "<!-- generated: {name} -->\n\n{block}\n{END}{rest}").unwrap();
    }
    assert!(left.is_empty(), "{file} has no place for {:?}", left.keys());
    out
}

/// Text as a cell of a table.
fn cell(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.replace('|', "\\|").replace('*', "\\*").replace('<', "&lt;")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("{}|{}\n{body}", line(&head), "---|".repeat(columns.len()))
}

/// How it is written: `-f`, `--filter KEY=VALUE`.
fn written(arg: &Arg) -> String {
    let takes = arg.get_action().takes_values();
    let names = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let Some(long) = arg.get_long() else { return code(&names) };
    let value = match takes {
        true if arg.is_require_equals_set() => format!("[={names}]"),
        true => format!(" {names}"),
        false => String::new(),
    };
    let short = arg.get_short().map_or_else(String::new, |short| format!("`-{short}`, "));
    short + &code(&format!("--{long}{value}"))
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// What is said below the first paragraph.
fn more(arg: &Arg) -> String {
    let long = arg.get_long_help().map(ToString::to_string).unwrap_or_default();
    long.split_once("\n\n").map_or_else(String::new, |(_, more)| format!(" {more}"))
}

/// What it means, what it takes, and where its value comes from otherwise.
fn meaning(arg: &Arg) -> String {
    let help = help(arg);
    // A default that is no one value stands in the help by hand.
    let (said, told) = help.strip_suffix(']').and_then(|help| help.split_once(" [default: ")).unwrap_or((&help, ""));
    let mut out = cell(said) + ".";
    let more = more(arg);
    for paragraph in more.split_terminator("\n\n") {
        write!(out, " {}", cell(paragraph)).unwrap();
    }
    let values = arg.get_possible_values();
    if arg.get_action().takes_values() && !values.is_empty() {
        let value = |value: &clap::builder::PossibleValue| {
            let said = value.get_help().map_or_else(String::new, |help| format!(" ({})", cell(&help.to_string())));
            code(value.get_name()) + &said
        };
        write!(out, " One of {}.", values.iter().map(value).collect::<Vec<_>>().join(", ")).unwrap();
    }
    if !told.is_empty() {
        write!(out, " Default: {}.", cell(told)).unwrap();
    }
    if let Some(variable) = arg.get_env() {
        write!(out, " Environment: `{}`.", variable.to_string_lossy()).unwrap();
    }
    if let [default] = arg.get_default_values()
        && arg.get_action().takes_values()
    {
        write!(out, " Default: `{}`.", default.to_string_lossy()).unwrap();
    }
    out
}

/// Options and arguments, without what every command has.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
}

/// The commands, `config show` among them, each with its name.
fn commands(of: &Command, before: &str) -> Vec<(String, Command)> {
    let named = of.get_subcommands().filter(|command| command.get_name() != "help");
    let all = named.flat_map(|command| {
        let name = format!("{before}{}", command.get_name());
        match commands(command, &format!("{name} ")) {
            below if below.is_empty() => vec![(name, command.clone())],
            below => below,
        }
    });
    all.collect()
}

fn command_line() -> Blocks {
    let mut cli = Cli::command();
    cli.build();
    let commands = commands(&cli, "");
    // Options that several commands have, by heading; serve's are in the other document.
    let told = commands.iter().filter(|(name, _)| name != "serve" && name != "config show");
    let settings = settings_of(&cli);
    let mut shared: Vec<(String, &Arg, Vec<&str>)> = Vec::new();
    for (name, command) in told {
        for arg in arguments(command).filter(|arg| name != FOLLOWER || !is_setting(arg, &settings)) {
            let Some(heading) = arg.get_help_heading() else { continue };
            let same = |(_, other, _): &&mut (String, &Arg, Vec<&str>)| written(other) == written(arg) && meaning(other) == meaning(arg);
            match shared.iter_mut().find(same) {
                Some((_, _, names)) => names.push(name),
                None => shared.push((heading.to_owned(), arg, vec![name])),
            }
        }
    }
    shared.retain(|(_, _, names)| names.len() > 1);
    let mut blocks = Blocks::new();
    let listed = commands.iter().map(|(name, command)| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        vec![format!("[`{name}`](#{})", name.replace(' ', "-")), cell(&about)]
    });
    blocks.insert("commands".to_owned(), table(&["command", "what"], &listed.collect::<Vec<_>>()));
    for (heading, _, _) in &shared {
        let rows = shared.iter().filter(|(other, _, _)| other == heading);
        let row = |(_, arg, names): &(String, &Arg, Vec<&str>)| vec![written(arg), names.join(", "), meaning(arg)];
        blocks.insert(heading.clone(), table(&["flag", "of", "meaning"], &rows.map(row).collect::<Vec<_>>()));
    }
    for (name, command) in &commands {
        blocks.insert(name.clone(), of_command(name, command, &shared, &settings));
    }
    blocks
}

/// The command that takes the settings of `serve` besides options of its own.
const FOLLOWER: &str = "fleet serve";

/// The options that are told in the other document.
fn settings_of(cli: &Command) -> BTreeSet<String> {
    arguments(cli.find_subcommand("serve").unwrap()).filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
}

fn is_setting(arg: &Arg, settings: &BTreeSet<String>) -> bool {
    arg.get_long().is_some_and(|long| settings.contains(long))
}

/// Usage, the options that are its own, and where the others stand.
fn of_command(name: &str, command: &Command, shared: &[(String, &Arg, Vec<&str>)], settings: &BTreeSet<String>) -> String {
    let usage = command.clone().render_usage().to_string();
    let mut out = format!("{}\n", code(usage.trim_start_matches("Usage: ").trim()));
    if name == "serve" || name == "config show" {
        return out + "\nIts options are the [settings](configuration.md#settings-of-serve), and `--config FILE`.\n";
    }
    let is_shared = |arg: &Arg| shared.iter().any(|(_, other, names)| names.contains(&name) && written(other) == written(arg));
    let is_told = |arg: &&Arg| !is_shared(arg) && (name != FOLLOWER || !is_setting(arg, settings));
    let own: Vec<_> = arguments(command).filter(is_told).map(|arg| vec![written(arg), meaning(arg)]).collect();
    if !own.is_empty() {
        write!(out, "\n{}", table(&["argument", "meaning"], &own)).unwrap();
    }
    let mut headings: Vec<&str> = Vec::new();
    for (heading, _, _) in shared.iter().filter(|(_, _, names)| names.contains(&name)) {
        if !headings.contains(&heading.as_str()) {
            headings.push(heading);
        }
    }
    if !headings.is_empty() {
        let link = |heading: &&str| format!("[{heading}](#{})", heading.to_lowercase().replace(' ', "-"));
        write!(out, "\nAs well as: {}.\n", headings.iter().map(link).collect::<Vec<_>>().join(", ")).unwrap();
    }
    if name == FOLLOWER {
        out += "\nAnd the [settings](configuration.md#settings-of-serve) of `serve`, but for those of a recorder.\n";
    }
    out
}

fn configuration() -> Blocks {
    let mut cli = Cli::command();
    cli.build();
    let serve = cli.find_subcommand("serve").unwrap().clone();
    let defaults = Settings::resolve(&ServeArgs::default(), &|_| None).unwrap();
    let mut blocks = Blocks::from([("config show".to_owned(), format!("```toml\n{}```\n", config_show::shown(&defaults)))]);
    let mut rows: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
    for (key, value, _) in defaults.rows() {
        let arg = arguments(&serve).find(|arg| arg.get_long() == Some(key)).unwrap();
        let help = help(arg);
        let (said, origins) = help.split_once(" [env: ").unwrap();
        let (variable, rest) = origins.split_once(']').unwrap();
        let (variable, list) = variable.split_once(", ").map_or((variable, false), |(variable, how)| (variable, how.contains("commas")));
        let default = rest.trim().strip_prefix("[default: ").map(|rest| rest.trim_end_matches(']'));
        let plain = value.trim_matches('"');
        let is_said = plain.is_empty() || plain == "0" || plain.starts_with('[') || default == Some(plain);
        assert!(is_said, "--{key}: its help says {default:?}, and it is {value}");
        assert_eq!(list, value.starts_with('['), "--{key}: whether it is a list");
        let shown = default.map_or_else(|| "none".to_owned(), |default| if default == plain { code(default) } else { cell(default) });
        let meaning = cell(&format!("{said}.{}", more(arg)));
        let row = vec![written(arg), code(variable), code(key), shown, meaning];
        rows.entry(arg.get_help_heading().unwrap()).or_default().push(row);
    }
    let columns = ["flag", "environment", "key", "default", "what it does"];
    blocks.extend(rows.into_iter().map(|(heading, rows)| (heading.to_owned(), table(&columns, &rows))));
    blocks
}
