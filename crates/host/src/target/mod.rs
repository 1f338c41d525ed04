//! Where a certificate goes on this host: the meaning of the annotation `everleaf.dev/files`, in types that can't be wrong.
//! How it is written stands in `written.rs`. Nothing here touches a disk.

mod written;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

pub use written::{TargetFault, parse};

/// The annotation that asks for files: a list of targets as YAML or JSON.
pub const FILES: &str = "everleaf.dev/files";

/// One place a certificate goes to, and what follows a change there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where the files lie.
    pub layout: Layout,
    /// What is done after a change.
    pub after: After,
    /// How long that may take.
    pub timeout: Duration,
}

/// Where the files of a target lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// A folder of ours: each generation in a folder of its own, and one link that is moved from one to the next.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The files; their places are names in it.
        files: Vec<FileWish>,
    },
    /// Plain files, each at its own path.
    Paths {
        /// The files; their places are absolute paths.
        files: Vec<FileWish>,
        /// A file that tells which generation is in place, and that a change is under way.
        marker: Option<PathBuf>,
    },
}

/// A file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWish {
    /// What it holds.
    pub part: Part,
    /// A name or an absolute path, by the layout.
    pub place: PathBuf,
    /// User, as written: a name or a number. Ours where nothing is given.
    pub owner: Option<String>,
    /// Group, as written. The system's choice where nothing is given.
    pub group: Option<String>,
    /// Permission bits.
    pub mode: u32,
    /// Left out, without a fault, when the Secret has nothing for it.
    pub may_lack: bool,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The private key.
    Key,
    /// The leaf, and the certificates between it and the root.
    Certificate,
    /// The leaf alone.
    Leaf,
    /// The certificates between leaf and root alone.
    Chain,
    /// The CA.
    Ca,
    /// The private key, then the leaf and its chain.
    Combined,
}

impl Part {
    /// True if it holds the private key.
    pub fn is_private(self) -> bool {
        matches!(self, Part::Key | Part::Combined)
    }
}

/// What is done after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// A program is run: itself and its arguments.
    Command(Vec<String>),
    /// A process is sent a signal.
    Signal {
        /// The file that holds its number.
        pid_file: PathBuf,
        /// The signal.
        signal: Signal,
    },
    /// A systemd unit is told to reload, or is restarted if it can't; one that doesn't run is left alone.
    Reload(String),
}

impl Target {
    /// How it is called in messages: its folder, or its first path.
    pub fn shown(&self) -> String {
        match &self.layout {
            Layout::Folder { folder, .. } => folder.display().to_string(),
            Layout::Paths { files, .. } => {
                files.first().map(|file| file.place.display().to_string()).unwrap_or_default()
            }
        }
    }

    /// What it claims for itself alone.
    pub fn claims(&self) -> Vec<&Path> {
        match &self.layout {
            Layout::Folder { folder, .. } => vec![folder],
            Layout::Paths { files, marker } => {
                files.iter().map(|file| file.place.as_path()).chain(marker.as_deref()).collect()
            }
        }
    }

    /// Its files.
    pub fn files(&self) -> &[FileWish] {
        match &self.layout {
            Layout::Folder { files, .. } | Layout::Paths { files, .. } => files,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Key => "key",
            Part::Certificate => "certificate",
            Part::Leaf => "leaf",
            Part::Chain => "chain",
            Part::Ca => "ca",
            Part::Combined => "combined",
        })
    }
}
