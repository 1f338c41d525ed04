//! A folder of ours: each generation lies complete in a folder of its own, and one link moves from one to the next.
//! Whoever opens `..data` once and reads from there has one generation, at any moment and after any crash; the one before stays for
//! those who are still reading. It never touches what isn't ours in the folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::Mode;

use crate::fault::Fault;
use crate::file::{Standing, compare, write_new};
use crate::folder::{Entry, Folder, Trust};
use crate::set::{Put, Set, Step};

/// The link to the generation in place.
const DATA: &str = "..data";
/// The link to be, before it is moved over the old one.
const NEW_DATA: &str = "..data.new";
/// A link to be, before it is moved to its name.
const NEW_LINK: &str = "..link.new";
/// Folders of generations begin with this.
const VERSION: &str = "..v-";
/// Told apart from the one in place when both are the same generation: somebody changed the one in place by hand.
const AGAIN: &str = ".again";
/// While it is filled nobody else looks into a generation.
const FILLING: Mode = Mode::from_raw_mode(0o700);
/// Filled: its files have modes of their own.
const FILLED: u32 = 0o755;

/// Puts a set in place.
pub(crate) fn put(path: &Path, set: &Set, step: Step<'_>) -> Result<Put, Fault> {
    let folder = Folder::open_or_make(path, &Trust::with_owner(set.owner()))?;
    let current = current(&folder)?;
    for piece in &set.pieces {
        must_be_free_or_ours(&folder, piece.place.as_os_str())?;
    }
    let in_place = match &current {
        Some(name) => is_same(&folder.inner(name)?, set)?,
        None => false,
    };
    if in_place {
        let mended = mend_links(&folder, set, step)?;
        return Ok(if mended { Put::Changed } else { Put::Unchanged });
    }
    let next = next_name(set, current.as_deref());
    if let Err(fault) = fill(&folder, &next, set, step) {
        // The first fault is the one to tell; what is left is removed by the next try.
        let _ = remove_version(&folder, &next);
        return Err(fault);
    }
    switch(&folder, &next, step)?;
    mend_links(&folder, set, step)?;
    clean(&folder, &next, current.as_deref(), step)?;
    Ok(Put::Changed)
}

/// The folder of the generation in place.
fn current(folder: &Folder) -> Result<Option<OsString>, Fault> {
    let data = OsStr::new(DATA);
    match folder.entry(data)? {
        Entry::Nothing => return Ok(None),
        Entry::Link => {}
        _ => {
            return Err(Fault::refused(
                &folder.at(DATA),
                "is not a link of ours, so this folder is not touched",
            ));
        }
    }
    let target = folder.link_target(data)?.unwrap_or_default();
    if !is_version(&target) {
        return Err(Fault::refused(&folder.at(DATA), "is not a link of ours, so this folder is not touched"));
    }
    // A link without its folder is left by a hand that removed it: there is no generation in place.
    Ok((folder.entry(&target)? == Entry::Folder).then_some(target))
}

fn is_version(name: &OsStr) -> bool {
    name.as_bytes().starts_with(VERSION.as_bytes()) && !name.as_bytes().contains(&b'/')
}

fn must_be_free_or_ours(folder: &Folder, name: &OsStr) -> Result<(), Fault> {
    let is_ours = match folder.entry(name)? {
        Entry::Nothing => true,
        Entry::Link => folder.link_target(name)?.is_some_and(|target| target == through_data(name)),
        _ => false,
    };
    if is_ours {
        return Ok(());
    }
    Err(Fault::refused(
        &folder.at(name),
        "was there before and is not ours: move it away, or choose another directory",
    ))
}

/// Where the link of a name leads.
fn through_data(name: &OsStr) -> OsString {
    let mut target = OsString::from(DATA);
    target.push("/");
    target.push(name);
    target
}

/// Whether a generation's folder holds this set and nothing else.
fn is_same(version: &Folder, set: &Set) -> Result<bool, Fault> {
    for piece in &set.pieces {
        let standing = compare(version, piece.place.as_os_str(), &piece.bytes, &piece.look);
        if !matches!(standing, Ok(Standing::Same)) {
            return Ok(false);
        }
    }
    Ok(version.names()?.len() == set.pieces.len())
}

fn next_name(set: &Set, current: Option<&OsStr>) -> OsString {
    let mut name = OsString::from(format!("{VERSION}{}", set.generation));
    if current == Some(&name) {
        name.push(AGAIN);
    }
    name
}

/// Writes a generation into a folder of its own, complete and on the disk.
fn fill(folder: &Folder, name: &OsStr, set: &Set, step: Step<'_>) -> Result<(), Fault> {
    // A crash may have left it half filled.
    remove_version(folder, name)?;
    take(step, "make the folder", folder, name)?;
    folder.make(name, FILLING)?;
    let version = folder.inner(name)?;
    for piece in &set.pieces {
        take(step, "write", &version, piece.place.as_os_str())?;
        write_new(&version, piece.place.as_os_str(), &piece.bytes, &piece.look)?;
    }
    version.set_mode(FILLED)?;
    version.sync()
}

/// The one moment at which readers go from the old generation to the new one.
fn switch(folder: &Folder, next: &OsStr, step: Step<'_>) -> Result<(), Fault> {
    folder.remove(OsStr::new(NEW_DATA))?;
    take(step, "link", folder, OsStr::new(NEW_DATA))?;
    folder.link(next, OsStr::new(NEW_DATA))?;
    // The new folder's name must be on the disk before the link that leads to it.
    folder.sync()?;
    take(step, "replace", folder, OsStr::new(DATA))?;
    folder.rename(OsStr::new(NEW_DATA), OsStr::new(DATA))?;
    folder.sync()
}

/// Makes the links of all names, and removes those of names that are no more. True if something was to do.
fn mend_links(folder: &Folder, set: &Set, step: Step<'_>) -> Result<bool, Fault> {
    let mut mended = false;
    for piece in &set.pieces {
        let name = piece.place.as_os_str();
        if folder.entry(name)? == Entry::Nothing {
            take(step, "link", folder, name)?;
            folder.remove(OsStr::new(NEW_LINK))?;
            folder.link(&through_data(name), OsStr::new(NEW_LINK))?;
            folder.rename(OsStr::new(NEW_LINK), name)?;
            mended = true;
        }
    }
    for name in folder.names()? {
        let is_wanted = set.pieces.iter().any(|piece| piece.place.as_os_str() == name);
        if !is_wanted && folder.link_target(&name)?.is_some_and(|target| target == through_data(&name)) {
            take(step, "remove", folder, &name)?;
            folder.remove(&name)?;
            mended = true;
        }
    }
    if mended {
        folder.sync()?;
    }
    Ok(mended)
}

/// Removes all generations but the one in place and the one before, which readers may still hold open.
fn clean(folder: &Folder, kept: &OsStr, before: Option<&OsStr>, step: Step<'_>) -> Result<(), Fault> {
    for name in folder.names()? {
        if is_version(&name) && name != kept && Some(name.as_os_str()) != before {
            take(step, "remove", folder, &name)?;
            remove_version(folder, &name)?;
        }
    }
    Ok(())
}

fn remove_version(folder: &Folder, name: &OsStr) -> Result<(), Fault> {
    if folder.entry(name)? != Entry::Folder {
        return Ok(());
    }
    let version = folder.inner(name)?;
    for inner in version.names()? {
        version.remove(&inner)?;
    }
    folder.remove_folder(name)
}

fn take(
    step: &mut dyn FnMut(&'static str) -> std::io::Result<()>,
    doing: &'static str,
    folder: &Folder,
    name: &OsStr,
) -> Result<(), Fault> {
    step(doing).map_err(|error| Fault::io(doing, &folder.at(name), error))
}
