//! A file that appears under its name whole or not at all: until then it has another one.

use super::ending::Usage;
use super::escape::escape;
use anyhow::Context as _;
use indicatif::HumanBytes;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file under its working name, `NAME.part`; removed unless finished.
#[derive(Debug)]
pub(super) struct Partial {
    file: File,
    part: PathBuf,
    target: PathBuf,
    force: bool,
    finished: bool,
}

impl Partial {
    /// Makes the working file, for the owner's eyes only: events hold names, labels and commands.
    pub(super) fn create(target: &Path, force: bool) -> anyhow::Result<Self> {
        if target.file_name().is_none() || target.is_dir() {
            return Err(Usage(format!("{} is a directory; name a file", target.display())).into());
        }
        refuse_existing(target, force)?;
        let mut part = target.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        if force {
            ignore_missing(fs::remove_file(&part)).with_context(|| format!("cannot replace {}", part.display()))?;
        }
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                anyhow::bail!("{} exists: another export is running, or one was killed; remove it or add --force", part.display())
            }
            Err(e) => return Err(e).with_context(|| format!("cannot create {}", part.display())),
        };
        Ok(Self { file, part, target: target.to_owned(), force, finished: false })
    }

    /// Makes it durable, gives it its name and tells somebody at a terminal how large it is.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.file.sync_all().with_context(|| format!("cannot write {} to disk", self.part.display()))?;
        // Once more, since an export takes its time.
        refuse_existing(&self.target, self.force)?;
        fs::rename(&self.part, &self.target)
            .with_context(|| format!("cannot rename {} to {}", self.part.display(), self.target.display()))?;
        self.finished = true;
        let parent = self.target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The new name is as durable as the directory that holds it.
        File::open(parent).and_then(|dir| dir.sync_all()).with_context(|| format!("cannot write {} to disk", parent.display()))?;
        if io::stderr().is_terminal() {
            let bytes = self.file.metadata().map_or(0, |data| data.len());
            eprintln!("{}: {}", escape(&self.target.to_string_lossy()), HumanBytes(bytes));
        }
        Ok(())
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.part);
        }
    }
}

fn refuse_existing(target: &Path, force: bool) -> Result<(), Usage> {
    // A link counts too, even one that leads nowhere: rename would replace it.
    if force || target.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Usage(format!("{} exists; choose another name or add --force", target.display())))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) })
}
