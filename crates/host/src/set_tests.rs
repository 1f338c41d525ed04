//! Sets under stress: readers that look on while generations change, faults and crashes at every step, modes at every moment.
//! One generation is told from another by every byte of its files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;
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
fn a_fault_at_any_step_leaves_what_was_there() {
    benches(|shape, key_mode| {
        for first in [None, Some(1)] {
            for at in 0.. {
                let temporary = folder();
                let bench = Bench::new(temporary.path(), shape, key_mode);
                if let Some(first) = first {
                    bench.put(first, &mut go_on).unwrap();
                }
                let names = bench.names();
                let mut steps = 0;
                let mut last = "";
                let put = bench.put(2, &mut |doing| {
                    last = doing;
                    steps += 1;
                    if steps > at { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                });
                if let Ok(put) = put {
                    assert_eq!((put, at > 5), (Put::Changed, true), "there are steps to fail at");
                    break;
                }
                let told = format!(
                    "{shape:?} from {first:?}, fault at step {at} ({last}): {:?}",
                    bench.generations()
                );
                let is_switched = shape == Shape::Folder && bench.generations().contains(&Some(2));
                // Once the new generation is in place it stays: the links are mended by the next try.
                let wanted = if is_switched { Some(2) } else { first };
                assert!(
                    bench
                        .generations()
                        .iter()
                        .all(|found| *found == wanted || (is_switched && first.is_none() && found.is_none())),
                    "{told}"
                );
                if shape != Shape::Folder {
                    let marked = bench.marked();
                    assert_eq!(bench.names(), names, "{told}");
                    assert_eq!(marked, first.map(|first| bench.set(first).generation), "{told}");
                }
                assert_eq!(bench.put(2, &mut go_on).unwrap(), Put::Changed, "{told}");
                assert_eq!(bench.generations(), vec![Some(2); PARTS.len()], "{told}");
            }
        }
    });
}

#[test]
fn a_crash_at_any_step_leaves_no_mixture_behind_and_is_healed() {
    benches(|shape, key_mode| {
        let temporary = folder();
        std::fs::create_dir(temporary.path().join("live")).unwrap();
        let bench = Bench::new(&temporary.path().join("live"), shape, key_mode);
        bench.put(1, &mut go_on).unwrap();
        let mut crashed = Vec::new();
        bench
            .put(2, &mut |doing| {
                let to = temporary.path().canonicalize().unwrap().join(format!("crash-{}", crashed.len()));
                crashed.push((doing, bench.copy(&to)));
                Ok(())
            })
            .unwrap();
        assert!(crashed.len() > 5);
        let clean = bench.names();
        for (at, (doing, crashed)) in crashed.iter().enumerate() {
            let told = format!("{shape:?}, crash before step {at} ({doing}): {:?}", crashed.generations());
            let found = crashed.generations();
            assert!(found.iter().all(|found| matches!(found, Some(1 | 2))), "{told}");
            match shape {
                Shape::Folder => assert!(found.iter().all(|one| *one == found[0]), "{told}"),
                _ => {
                    let told_by_marker =
                        [1, 2].into_iter().find(|n| crashed.marked() == Some(crashed_set(crashed, *n)));
                    if let Some(marked) = told_by_marker {
                        assert_eq!(found, vec![Some(marked); PARTS.len()], "{told}");
                    }
                }
            }
            assert_eq!(open_keys(&crashed.top, key_mode), Vec::<String>::new(), "{told}");
            crashed.put(2, &mut go_on).unwrap();
            assert_eq!(crashed.generations(), vec![Some(2); PARTS.len()], "{told}");
            assert_eq!(crashed.put(2, &mut go_on).unwrap(), Put::Unchanged, "{told}");
            assert_eq!(crashed.names(), clean, "{told}");
        }
    });
}

/// The marker names places, so a copy has another generation: that of the place it was copied from.
fn crashed_set(crashed: &Bench, generation: u64) -> String {
    let live = crashed.top.parent().unwrap().join("live");
    Bench { top: live, ..crashed.clone() }.set(generation).generation
}

/// Changes generations while `look` runs again and again on another thread; returns how many generations it saw.
fn race(bench: &Bench, changes: u64, look: impl Fn() -> Option<u64> + Send + 'static) -> usize {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(AtomicU64::new(0));
    let (stop_reader, count) = (stop.clone(), seen.clone());
    let reader = std::thread::spawn(move || {
        let mut generations = BTreeSet::new();
        while !stop_reader.load(Ordering::Relaxed) {
            if let Some(generation) = look() {
                generations.insert(generation);
                count.store(generations.len().try_into().unwrap(), Ordering::Relaxed);
            }
        }
        generations.len()
    });
    let mut generation = 0;
    // On a slow machine the reader gets more time, up to a bound, rather than the test a verdict about nothing.
    while generation < changes || (seen.load(Ordering::Relaxed) < 5 && generation < changes * 20) {
        generation += 1;
        bench.put(generation, &mut go_on).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    reader.join().unwrap()
}

#[test]
fn who_opens_the_data_link_once_never_sees_two_generations() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::Folder, 0o600);
    let data = bench.top.join("set/..data");
    let seen = race(&bench, 200, move || {
        let folder = rustix::fs::open(&data, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).ok()?;
        let read = |part: Part| {
            let file = rustix::fs::openat(&folder, part.to_string(), OFlags::RDONLY, Mode::empty()).ok()?;
            let mut found = Vec::new();
            std::fs::File::from(file).read_to_end(&mut found).unwrap();
            Some(generation(part, &found).expect("a file is whole"))
        };
        // Two changes later the folder is emptied: nothing is seen then, and certainly no mixture.
        let found = PARTS.map(read).into_iter().collect::<Option<Vec<_>>>()?;
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
        Some(found[0])
    });
    assert!(seen >= 5, "the reader saw {seen} generations only");
}

#[test]
fn who_asks_the_marker_before_and_after_never_sees_two_generations() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::PathsInTwoFolders, 0o640);
    let reader = bench.clone();
    let seen = race(&bench, 200, move || {
        let before = reader.marked()?;
        let found = reader.generations();
        let after = reader.marked()?;
        assert!(found.iter().all(Option::is_some), "each file is whole at any time: {found:?}");
        if before != after {
            return None;
        }
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
        found[0]
    });
    assert!(seen >= 5, "the reader saw {seen} generations only");
}

#[test]
fn a_combined_file_is_always_of_one_generation() {
    for shape in [Shape::Folder, Shape::Paths] {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, 0o600);
        let path = bench.place(Part::Combined);
        let seen = race(&bench, 100, move || {
            let found = std::fs::read(&path).ok()?;
            Some(generation(Part::Combined, &found).expect("the file is whole"))
        });
        assert!(seen >= 5, "the reader saw {seen} generations only");
    }
}

#[test]
fn a_key_is_closed_to_others_at_every_step_and_to_every_onlooker() {
    benches(|shape, key_mode| {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, key_mode);
        for generation in 1..4 {
            bench
                .put(generation, &mut |doing| {
                    let open = open_keys(&bench.top, key_mode);
                    assert!(open.is_empty(), "{shape:?}, before {doing}: {open:?}");
                    Ok(())
                })
                .unwrap();
        }
        let top = bench.top.clone();
        race(&bench, 60, move || {
            let open = open_keys(&top, key_mode);
            assert!(open.is_empty(), "{open:?}");
            None
        });
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

#[test]
fn a_real_full_disk_leaves_what_was_there() {
    let temporary = folder();
    let bench = Bench::new(temporary.path(), Shape::Paths, 0o600);
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // A file system of its own, if this machine lets us have one.
    let small = bench.top.join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none"])
        .arg(&small)
        .output();
    if !mount.is_ok_and(|done| done.status.success()) {
        return;
    }
    let full = Bench::new(&small, Shape::Paths, 0o600);
    let result = std::panic::catch_unwind(|| {
        full.put(1, &mut go_on).unwrap();
        let mut filler = std::fs::File::create(small.join("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 512]).is_ok() {}
        drop(filler);
        let names = full.names();
        let told = full.put(2, &mut go_on).unwrap_err().to_string();
        assert!(told.contains("No space left on device"), "{told}");
        assert_eq!(full.generations(), vec![Some(1); PARTS.len()]);
        assert_eq!(full.names(), names);
        std::fs::remove_file(small.join("filler")).unwrap();
        full.put(2, &mut go_on).unwrap();
        assert_eq!(full.generations(), vec![Some(2); PARTS.len()]);
    });
    let _ = std::process::Command::new("umount").arg(&small).status();
    result.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is put, in whatever order, with faults wherever: the set in place is one generation, and the last one that succeeded,
    /// or (a folder only) the one that failed after its switch.
    #[test]
    fn any_history_ends_in_one_generation(
        shape in prop_oneof![Just(Shape::Folder), Just(Shape::Paths), Just(Shape::PathsInTwoFolders)],
        history in prop::collection::vec((1u64..6, prop::option::of(0usize..16)), 1..10),
    ) {
        let temporary = folder();
        let bench = Bench::new(temporary.path(), shape, 0o600);
        bench.put(1, &mut go_on).unwrap();
        let mut in_place = 1;
        for (wish, fault_at) in history {
            let mut steps = 0;
            let put = bench.put(wish, &mut |_| {
                steps += 1;
                if Some(steps - 1) == fault_at { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
            });
            let found = bench.generations();
            if put.is_ok() || (shape == Shape::Folder && found[0] == Some(wish)) {
                in_place = wish;
            }
            prop_assert_eq!(found, vec![Some(in_place); PARTS.len()]);
            prop_assert!(open_keys(&bench.top, 0o600).is_empty());
        }
    }
}
