//! Users and groups by name or number, from the host's own lists.
//! Names that only a directory service knows aren't found here: their numbers always work. It never calls the C library.

use std::path::Path;

use rustix::fs::{Gid, Uid};

use crate::fault::Fault;

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";
/// The longest list that is read.
const LONGEST_LIST: u64 = 16 * 1024 * 1024;
/// The number that system calls take for "no change".
const NOBODY_AT_ALL: u32 = u32::MAX;

/// The user of this name or number.
pub(crate) fn user(name: &str) -> Result<Uid, Fault> {
    number(name, "user", Path::new(USERS)).map(Uid::from_raw)
}

/// The group of this name or number.
pub(crate) fn group(name: &str) -> Result<Gid, Fault> {
    number(name, "group", Path::new(GROUPS)).map(Gid::from_raw)
}

fn number(name: &str, kind: &str, list: &Path) -> Result<u32, Fault> {
    if let Some(number) = name.parse().ok().filter(|number| *number != NOBODY_AT_ALL) {
        return Ok(number);
    }
    let text = crate::private::read_within(list, LONGEST_LIST)?;
    let text = String::from_utf8_lossy(&text);
    find(&text, name).ok_or_else(|| {
        Fault::Account(format!("{kind} {name:?} is not in {}; a number works, too", list.display()))
    })
}

/// The number in a line `name:password:number:...`.
fn find(list: &str, name: &str) -> Option<u32> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        if is_it { fields.nth(1)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_found_and_numbers_are_taken_as_they_are() {
        let list = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\nbroken:x:n\n";
        assert_eq!(find(list, "www-data"), Some(33));
        assert_eq!(find(list, "www"), None);
        assert_eq!(find(list, "broken"), None);
        assert_eq!(user("1234").unwrap().as_raw(), 1234);
        assert_eq!(user("root").unwrap().as_raw(), 0);
        let fault = group("no-such-group").unwrap_err().to_string();
        assert!(fault.contains("group \"no-such-group\" is not in /etc/group"), "{fault}");
        assert!(user("4294967295").is_err(), "the number for \"no change\" is nobody's");
    }
}
