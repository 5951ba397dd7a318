//! `completions` and `man`: what a shell and a reader of manuals get from the same texts as `--help`.

use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// Shell that reads the completions
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this directory; without it, the page of shipslog goes to stdout
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "shipslog", &mut text);
    io::stdout().lock().write_all(&text)
}

pub(super) fn man(args: &ManArgs) -> io::Result<()> {
    let command = super::Cli::command();
    match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|e| at(dir, &e))?;
            clap_mangen::generate_to(command, dir).map_err(|e| at(dir, &e))
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            io::stdout().lock().write_all(&page)
        }
    }
}

fn at(dir: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write manual pages into {}: {error}", dir.display()))
}
