//! A set of files that belong together: names, bytes, owners and modes, and the generation that tells it from another.
//! It is complete before the first byte is written.

use std::path::PathBuf;

use everleaf_core::x509::sha256_hex;
use rustix::fs::Uid;
use zeroize::Zeroizing;

use crate::accounts;
use crate::fault::Fault;
use crate::file::Look;
use crate::material::Material;
use crate::target::{FileWish, Part};

/// Hexadecimal digits of a generation: 80 bits.
const GENERATION_DIGITS: usize = 20;

/// A set of files.
pub(crate) struct Set {
    pub(crate) pieces: Vec<Piece>,
    /// Differs whenever a byte, a name, an owner or a mode differs.
    pub(crate) generation: String,
}

/// One file of a set.
pub(crate) struct Piece {
    pub(crate) part: Part,
    pub(crate) place: PathBuf,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) look: Look,
}

/// What a writer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// All stood there already.
    Unchanged,
    /// The set is in place.
    Changed,
}

/// Called before each change on the disk. Tests look at the disk there, or stop the work as a full disk would.
pub(crate) type Step<'a> = &'a mut dyn FnMut(&'static str) -> std::io::Result<()>;

/// For production: nothing looks on.
pub(crate) fn go_on(_: &'static str) -> std::io::Result<()> {
    Ok(())
}

impl Set {
    /// The files of a target with what they shall hold.
    pub(crate) fn of(files: &[FileWish], material: &Material) -> Result<Set, Fault> {
        let mut pieces = Vec::with_capacity(files.len());
        for file in files {
            let Some(bytes) = material.part(file.part) else {
                if file.may_lack {
                    continue;
                }
                return Err(Fault::refused(
                    &file.place,
                    format!("the Secret holds nothing for the {}", file.part),
                ));
            };
            let look = Look {
                owner: file.owner.as_deref().map(accounts::user).transpose()?,
                group: file.group.as_deref().map(accounts::group).transpose()?,
                mode: file.mode,
            };
            pieces.push(Piece { part: file.part, place: file.place.clone(), bytes, look });
        }
        Ok(Set::from_pieces(pieces))
    }

    pub(crate) fn from_pieces(pieces: Vec<Piece>) -> Set {
        let room = pieces.iter().map(|piece| piece.bytes.len() + piece.place.as_os_str().len() + 128).sum();
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        for piece in &pieces {
            let Look { owner, group, mode } = piece.look;
            let number = |id: Option<u32>| id.map_or(-1, i64::from);
            let (owner, group) = (number(owner.map(|id| id.as_raw())), number(group.map(|id| id.as_raw())));
            let head = format!(
                "{}\0{}\0{owner} {group} {mode} {}\0",
                piece.part,
                piece.place.display(),
                piece.bytes.len()
            );
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(&piece.bytes);
        }
        let mut generation = sha256_hex(&text);
        generation.truncate(GENERATION_DIGITS);
        Set { pieces, generation }
    }

    /// The one user that all files shall belong to, if there is one.
    pub(crate) fn owner(&self) -> Option<Uid> {
        let mut owners = self.pieces.iter().map(|piece| piece.look.owner);
        let first = owners.next().flatten()?;
        owners.all(|owner| owner == Some(first)).then_some(first)
    }
}
