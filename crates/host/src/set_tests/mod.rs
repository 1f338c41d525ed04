//! Sets put to the test: a bench that knows from each byte of a file which generation it belongs to.
//! One generation is told from another by every byte of its files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod faults;
mod races;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::file::Look;
use crate::set::{Piece, Put, Set, go_on};
use crate::target::Part;
use crate::{paths, versions};

const SECRET: &str = "PRIVATE KEY";
const PARTS: [Part; 4] = [Part::Key, Part::Certificate, Part::Ca, Part::Combined];

/// What a file of this generation holds: long enough to be written in more than one piece if it were not whole.
fn bytes(part: Part, generation: u64) -> Vec<u8> {
    let word = if part.is_private() { SECRET } else { "CERTIFICATE" };
    let line = format!("{word} {part} {generation}\n");
    line.repeat(20 + usize::try_from(generation % 7).unwrap()).into_bytes()
}

/// Which generation a file belongs to; a file that isn't whole belongs to none.
fn generation(part: Part, found: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(found).ok()?;
    let number = text.lines().next()?.rsplit(' ').next()?.parse().ok()?;
    (bytes(part, number) == found).then_some(number)
}

/// A folder in memory where there is one: what is looked at here is order, not what a disk does.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Where a set goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Folder,
    Paths,
    PathsInTwoFolders,
}

#[derive(Debug, Clone)]
struct Bench {
    top: PathBuf,
    shape: Shape,
    key_mode: u32,
}

impl Bench {
    fn new(top: &Path, shape: Shape, key_mode: u32) -> Bench {
        let top = top.canonicalize().unwrap();
        for folder in ["private", "public"] {
            std::fs::create_dir_all(top.join(folder)).unwrap();
        }
        Bench { top, shape, key_mode }
    }

    fn place(&self, part: Part) -> PathBuf {
        match self.shape {
            Shape::Folder => self.top.join("set").join(part.to_string()),
            Shape::Paths => self.top.join("public").join(part.to_string()),
            Shape::PathsInTwoFolders if part.is_private() => self.top.join("private").join(part.to_string()),
            Shape::PathsInTwoFolders => self.top.join("public").join(part.to_string()),
        }
    }

    fn marker(&self) -> PathBuf {
        self.top.join("public/marker")
    }

    fn set(&self, generation: u64) -> Set {
        let piece = |part: Part| Piece {
            part,
            place: match self.shape {
                Shape::Folder => PathBuf::from(part.to_string()),
                _ => self.place(part),
            },
            bytes: Zeroizing::new(bytes(part, generation)),
            look: Look {
                owner: None,
                group: None,
                mode: if part.is_private() { self.key_mode } else { 0o644 },
            },
        };
        Set::from_pieces(PARTS.map(piece).into_iter().collect())
    }

    fn put(
        &self,
        generation: u64,
        step: &mut dyn FnMut(&'static str) -> std::io::Result<()>,
    ) -> Result<Put, Fault> {
        let set = self.set(generation);
        match self.shape {
            Shape::Folder => versions::put(&self.top.join("set"), &set, step),
            _ => paths::put(&set, Some(&self.marker()), step),
        }
    }

    /// The same at another place.
    fn copy(&self, to: &Path) -> Bench {
        let done = std::process::Command::new("cp").arg("-a").arg(&self.top).arg(to).status().unwrap();
        assert!(done.success());
        Bench { top: to.to_owned(), ..self.clone() }
    }

    /// The generation of each file, read by its name.
    fn generations(&self) -> Vec<Option<u64>> {
        let read =
            |part: Part| std::fs::read(self.place(part)).ok().and_then(|found| generation(part, &found));
        PARTS.map(read).to_vec()
    }

    /// What the marker says is in place.
    fn marked(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.marker()).ok()?;
        Some(text.strip_prefix("generation ")?.trim().to_owned())
    }

    /// All names there are.
    fn names(&self) -> BTreeSet<String> {
        walk(&self.top)
            .into_iter()
            .map(|path| path.strip_prefix(&self.top).unwrap().display().to_string())
            .collect()
    }
}

/// All files and folders below, links not followed.
fn walk(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        // Others may be changing it: what is gone is gone.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            found.push(entry.path());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    found
}

/// Files with key material that others may read. Name, mode and bytes are read by one handle.
fn open_keys(top: &Path, key_mode: u32) -> Vec<String> {
    let mut open = Vec::new();
    for path in walk(top) {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let Ok(file) = rustix::fs::open(&path, flags, Mode::empty()) else { continue };
        let mut file = std::fs::File::from(file);
        let about = file.metadata().unwrap();
        if !about.is_file() {
            continue;
        }
        let mut text = Vec::new();
        // The mode is looked at before and after the bytes: it must have been closed to others all the time.
        let _ = file.read_to_end(&mut text);
        let after = file.metadata().unwrap();
        let is_secret = text.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        for mode in [about.mode() & 0o7777, after.mode() & 0o7777] {
            if is_secret && mode & !key_mode & 0o7077 != 0 {
                open.push(format!("{} {mode:o}", path.display()));
            }
        }
    }
    open
}

/// Each shape, with a key for its owner alone and one for a group.
fn benches(run: impl Fn(Shape, u32)) {
    for shape in [Shape::Folder, Shape::Paths, Shape::PathsInTwoFolders] {
        for key_mode in [0o600, 0o640] {
            run(shape, key_mode);
        }
    }
}

#[test]
fn a_set_is_put_once_and_then_left_alone() {
    benches(|shape, key_mode| {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, key_mode);
        assert_eq!(bench.put(1, &mut go_on).unwrap(), Put::Changed);
        let inodes = |bench: &Bench| PARTS.map(|part| std::fs::metadata(bench.place(part)).unwrap().ino());
        let before = inodes(&bench);
        let mut steps = 0;
        let put = bench.put(1, &mut |_| {
            steps += 1;
            Ok(())
        });
        assert_eq!((put.unwrap(), steps, inodes(&bench)), (Put::Unchanged, 0, before), "{shape:?}");
        assert_eq!(bench.put(2, &mut go_on).unwrap(), Put::Changed);
        assert_eq!(bench.generations(), vec![Some(2); PARTS.len()]);
        let modes = PARTS.map(|part| std::fs::metadata(bench.place(part)).unwrap().mode() & 0o7777);
        assert_eq!(modes, [key_mode, 0o644, 0o644, key_mode]);
    });
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    benches(|shape, key_mode| {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, key_mode);
        bench.put(1, &mut go_on).unwrap();
        for _ in 0..3 {
            std::fs::write(bench.place(Part::Certificate), "something else").unwrap();
            assert_eq!(bench.put(1, &mut go_on).unwrap(), Put::Changed, "{shape:?}");
            assert_eq!(bench.generations(), vec![Some(1); PARTS.len()]);
            std::fs::remove_file(bench.place(Part::Key)).unwrap();
            assert_eq!(bench.put(1, &mut go_on).unwrap(), Put::Changed, "{shape:?}");
            assert_eq!(bench.generations(), vec![Some(1); PARTS.len()]);
        }
    });
}

#[test]
fn what_is_not_ours_is_refused_before_anything_is_written() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::Paths, 0o600);
    std::os::unix::fs::symlink("/etc/hostname", bench.place(Part::Combined)).unwrap();
    let names = bench.names();
    let told = bench.put(1, &mut |doing| panic!("{doing}")).unwrap_err().to_string();
    assert!(told.contains("is a symbolic link"), "{told}");
    assert_eq!(bench.names(), names);

    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::Folder, 0o600);
    std::fs::create_dir(bench.top.join("set")).unwrap();
    std::fs::write(bench.place(Part::Ca), "was here before").unwrap();
    let told = bench.put(1, &mut |doing| panic!("{doing}")).unwrap_err().to_string();
    assert!(told.contains("was there before and is not ours"), "{told}");
    assert_eq!(std::fs::read_to_string(bench.place(Part::Ca)).unwrap(), "was here before");
}

#[test]
fn old_generations_go_and_the_last_one_stays_for_its_readers() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::Folder, 0o600);
    for generation in 1..6 {
        bench.put(generation, &mut go_on).unwrap();
    }
    let versions = bench
        .names()
        .iter()
        .filter(|name| name.starts_with("set/..v-") && name.matches('/').count() == 1)
        .count();
    assert_eq!(versions, 2);
}
