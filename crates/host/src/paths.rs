//! Plain files, each at its own path: all are written beside their places first, then moved in, key before certificate.
//! There is no way to move several names at once, so a reader who may come between the moves looks at the marker, or checks that key and
//! certificate belong together. When a move fails, those before it are taken back. What can't be replaced safely is refused before.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::fault::Fault;
use crate::file::{Look, Standing, compare, write_new};
use crate::folder::{Entry, Folder, Trust};
use crate::set::{Put, Set, Step};
use crate::target::Part;

/// What the marker says between the first and the last move.
const CHANGING: &str = "changing\n";
const MARKER_MODE: u32 = 0o644;
/// Temporary names: `.NAME` with this behind it. The same each time, so that what a crash leaves is found.
const TEMPORARY: &str = ".everleaf-new";
/// The marker's last word, written before the first move so that a full disk can't hold it back.
const TEMPORARY_MARKER: &str = ".everleaf-done";

/// The name under which the successor of a file is written.
pub(crate) fn temporary_name(name: &OsStr) -> OsString {
    hidden(name, TEMPORARY)
}

fn hidden(name: &OsStr, ending: &str) -> OsString {
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(ending);
    hidden
}

/// Puts a set in place.
pub(crate) fn put(set: &Set, marker: Option<&Path>, step: Step<'_>) -> Result<Put, Fault> {
    let mut folders = Folders { open: BTreeMap::new(), trust: Trust::with_owner(set.owner()) };
    let mut slots = Vec::new();
    for piece in &set.pieces {
        slots.push(Slot::new(&mut folders, &piece.place, &piece.bytes, piece.look, rank(piece.part))?);
    }
    let done = format!("generation {}\n", set.generation);
    let marker = marker.map(|path| Marker::new(&mut folders, path, &done)).transpose()?;
    slots.retain(|slot| slot.standing != Standing::Same);
    slots.sort_by_key(|slot| slot.rank);
    let marker = marker.filter(|marker| !slots.is_empty() || marker.slot.standing != Standing::Same);
    if slots.is_empty() && marker.is_none() {
        return Ok(Put::Unchanged);
    }
    let mut change = Change { written: Vec::new(), moved: Vec::new() };
    let put = change.make(&slots, marker.as_ref(), step);
    if put.is_err() {
        change.take_back();
    }
    change.sweep();
    put.map(|()| Put::Changed)
}

/// The order of moves: what watches the certificate finds its key in place already.
fn rank(part: Part) -> u8 {
    match part {
        Part::Ca => 0,
        Part::Chain => 1,
        Part::Leaf => 2,
        Part::Key => 3,
        Part::Certificate => 4,
        Part::Combined => 5,
    }
}

/// The folders on the way, each opened once.
struct Folders {
    open: BTreeMap<PathBuf, Rc<Folder>>,
    trust: Trust,
}

impl Folders {
    fn open(&mut self, path: &Path) -> Result<Rc<Folder>, Fault> {
        if let Some(folder) = self.open.get(path) {
            return Ok(folder.clone());
        }
        let folder = Rc::new(Folder::open(path, &self.trust)?);
        self.open.insert(path.to_owned(), folder.clone());
        Ok(folder)
    }
}

/// A file's place, and what shall stand there.
struct Slot<'a> {
    folder: Rc<Folder>,
    name: OsString,
    temporary: OsString,
    bytes: &'a [u8],
    look: Look,
    standing: Standing,
    rank: u8,
}

impl<'a> Slot<'a> {
    fn new(
        folders: &mut Folders,
        path: &Path,
        bytes: &'a [u8],
        look: Look,
        rank: u8,
    ) -> Result<Slot<'a>, Fault> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Fault::refused(path, "is not the path of a file"));
        };
        let folder = folders.open(above)?;
        let temporary = temporary_name(name);
        clear(&folder, &temporary)?;
        let standing = compare(&folder, name, bytes, &look)?;
        Ok(Slot { folder, name: name.to_owned(), temporary, bytes, look, standing, rank })
    }
}

/// Removes what a crash left. A folder that can't be written to is only touched if there is something.
fn clear(folder: &Folder, temporary: &OsStr) -> Result<(), Fault> {
    if folder.entry(temporary)? == Entry::Nothing { Ok(()) } else { folder.remove(temporary) }
}

struct Marker<'a> {
    slot: Slot<'a>,
    done: OsString,
}

impl<'a> Marker<'a> {
    fn new(folders: &mut Folders, path: &Path, done: &'a str) -> Result<Marker<'a>, Fault> {
        let look = Look { owner: None, group: None, mode: MARKER_MODE };
        let slot = Slot::new(folders, path, done.as_bytes(), look, 0)?;
        let done = hidden(&slot.name, TEMPORARY_MARKER);
        clear(&slot.folder, &done)?;
        Ok(Marker { slot, done })
    }
}

/// A change under way: what was written beside, and which moves were made.
struct Change<'a> {
    written: Vec<(Rc<Folder>, OsString)>,
    moved: Vec<(&'a Slot<'a>, Moved)>,
}

/// How a file came to its place.
#[derive(Clone, Copy)]
enum Moved {
    /// Nothing was there.
    In,
    /// The old one lies under the temporary name now.
    Exchanged,
    /// The old one is gone: this file system can't exchange.
    Over,
}

impl<'a> Change<'a> {
    fn make(
        &mut self,
        slots: &'a [Slot<'a>],
        marker: Option<&'a Marker<'a>>,
        step: Step<'_>,
    ) -> Result<(), Fault> {
        for slot in slots {
            self.write(&slot.folder, &slot.temporary, slot.bytes, &slot.look, step)?;
        }
        if let Some(marker) = marker {
            let slot = &marker.slot;
            self.write(&slot.folder, &slot.temporary, CHANGING.as_bytes(), &slot.look, step)?;
            self.write(&slot.folder, &marker.done, slot.bytes, &slot.look, step)?;
            self.move_in(slot, step)?;
            slot.folder.sync()?;
        }
        for slot in slots {
            self.move_in(slot, step)?;
        }
        for slot in slots {
            slot.folder.sync()?;
        }
        if let Some(marker) = marker {
            taken(step, &marker.slot.folder, &marker.slot.name, "replace")?;
            marker.slot.folder.rename(&marker.done, &marker.slot.name)?;
            marker.slot.folder.sync()?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        folder: &Rc<Folder>,
        name: &OsStr,
        bytes: &[u8],
        look: &Look,
        step: Step<'_>,
    ) -> Result<(), Fault> {
        taken(step, folder, name, "write")?;
        self.written.push((folder.clone(), name.to_owned()));
        write_new(folder, name, bytes, look)
    }

    fn move_in(&mut self, slot: &'a Slot<'a>, step: Step<'_>) -> Result<(), Fault> {
        taken(step, &slot.folder, &slot.name, "replace")?;
        let moved = match slot.standing {
            Standing::Nothing => {
                slot.folder.rename(&slot.temporary, &slot.name)?;
                Moved::In
            }
            Standing::Same | Standing::Different => {
                if slot.folder.exchange(&slot.temporary, &slot.name)? {
                    Moved::Exchanged
                } else {
                    slot.folder.rename(&slot.temporary, &slot.name)?;
                    Moved::Over
                }
            }
        };
        self.moved.push((slot, moved));
        Ok(())
    }

    /// Puts back what was there. The fault that led here is the one to tell, so those on the way back are not.
    fn take_back(&mut self) {
        while let Some((slot, moved)) = self.moved.pop() {
            let _ = match moved {
                Moved::In => slot.folder.remove(&slot.name),
                Moved::Exchanged => slot.folder.exchange(&slot.temporary, &slot.name).map(|_| ()),
                Moved::Over => Ok(()),
            };
        }
    }

    /// Removes temporary names: new files that were not wanted in the end, or old ones that were replaced.
    fn sweep(&mut self) {
        for (folder, name) in self.written.drain(..) {
            // What can't be removed now is found by the next try.
            let _ = folder.remove(&name);
        }
    }
}

fn taken(
    step: &mut dyn FnMut(&'static str) -> std::io::Result<()>,
    folder: &Folder,
    name: &OsStr,
    doing: &'static str,
) -> Result<(), Fault> {
    step(doing).map_err(|error| Fault::io(doing, &folder.at(name), error))
}
