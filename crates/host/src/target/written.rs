//! The annotation as written, and the step from there to its meaning. Every fault names the target and what to write instead.
//! It never asks the host whether users, groups or folders are there: they may come later.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use everleaf_api::GoDuration;
use rustix::process::Signal;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{After, FileWish, Layout, Part, Target};

/// The most targets of one Certificate.
const MOST_TARGETS: usize = 16;
/// The longest text of the annotation.
const LONGEST_TEXT: usize = 64 * 1024;
/// The longest file name: the system's 255 less what temporary names add.
const LONGEST_NAME: usize = 230;
const LONGEST_PATH: usize = 4000;
const MOST_ARGUMENTS: usize = 64;
const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;
/// What a file with a private key may allow: nothing to others.
const KEY_MODE_LIMIT: u32 = 0o770;
/// What any file may allow: writing only to its owner and group.
const CERTIFICATE_MODE_LIMIT: u32 = 0o775;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

/// What is wrong with the annotation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetFault(String);

fn fault<T>(text: impl Into<String>) -> Result<T, TargetFault> {
    Err(TargetFault(text.into()))
}

/// Reads the annotation.
pub fn parse(text: &str) -> Result<Vec<Target>, TargetFault> {
    if text.len() > LONGEST_TEXT {
        return fault(format!("{} bytes are more than the limit of {LONGEST_TEXT}", text.len()));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    let written: Vec<Written> = serde_saphyr::from_str_with_options(text, options)
        .or_else(|error| fault(format!("not a list of targets: {error}")))?;
    if written.is_empty() {
        return fault("the list holds no target");
    }
    if written.len() > MOST_TARGETS {
        return fault(format!("{} targets are more than the limit of {MOST_TARGETS}", written.len()));
    }
    let mut targets: Vec<Target> = Vec::with_capacity(written.len());
    for (at, target) in written.into_iter().enumerate() {
        let target = target.meaning().map_err(|why| TargetFault(format!("target {}: {why}", at + 1)))?;
        targets.push(target);
    }
    no_path_twice(&targets)?;
    Ok(targets)
}

fn no_path_twice(targets: &[Target]) -> Result<(), TargetFault> {
    let mut seen = std::collections::BTreeSet::new();
    for (at, target) in targets.iter().enumerate() {
        for path in target.claims() {
            if !seen.insert(path) {
                return fault(format!("target {}: {} is named twice", at + 1, path.display()));
            }
        }
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    directory: Option<String>,
    key: Option<WrittenFile>,
    certificate: Option<WrittenFile>,
    leaf: Option<WrittenFile>,
    chain: Option<WrittenFile>,
    ca: Option<WrittenFile>,
    combined: Option<WrittenFile>,
    marker: Option<String>,
    pkcs12: Option<IgnoredAny>,
    jks: Option<IgnoredAny>,
    owner: Option<String>,
    group: Option<String>,
    key_mode: Option<String>,
    certificate_mode: Option<String>,
    command: Option<Vec<String>>,
    signal: Option<WrittenSignal>,
    reload: Option<String>,
    timeout: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenSignal {
    pid_file: String,
    name: String,
}

/// A path, or a path with more.
#[derive(Debug, Default)]
struct WrittenFile {
    path: String,
    owner: Option<String>,
    group: Option<String>,
    mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWithMore {
    path: String,
    owner: Option<String>,
    group: Option<String>,
    mode: Option<String>,
}

impl<'de> Deserialize<'de> for WrittenFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrMore;
        impl<'de> Visitor<'de> for PathOrMore {
            type Value = WrittenFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a map with path, owner, group and mode")
            }

            fn visit_str<E>(self, path: &str) -> Result<WrittenFile, E> {
                Ok(WrittenFile { path: path.to_owned(), ..WrittenFile::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenFile, A::Error> {
                let more = WrittenWithMore::deserialize(MapAccessDeserializer::new(map))?;
                let WrittenWithMore { path, owner, group, mode } = more;
                Ok(WrittenFile { path, owner, group, mode })
            }
        }
        deserializer.deserialize_any(PathOrMore)
    }
}

impl Written {
    fn meaning(self) -> Result<Target, TargetFault> {
        if self.pkcs12.is_some() || self.jks.is_some() {
            return fault(
                "PKCS#12 and JKS files are not made yet; they come with the keystores of the Certificate",
            );
        }
        let after = self.after()?;
        let timeout = match &self.timeout {
            None => DEFAULT_TIMEOUT,
            Some(_) if after == After::Nothing => {
                return fault("timeout means nothing without command, signal or reload");
            }
            Some(text) => timeout(text)?,
        };
        Ok(Target { layout: self.layout()?, after, timeout })
    }

    fn layout(&self) -> Result<Layout, TargetFault> {
        let named = [
            (Part::Key, &self.key),
            (Part::Certificate, &self.certificate),
            (Part::Leaf, &self.leaf),
            (Part::Chain, &self.chain),
            (Part::Ca, &self.ca),
            (Part::Combined, &self.combined),
        ];
        let named = named.into_iter().filter_map(|(part, file)| Some((part, file.as_ref()?)));
        match &self.directory {
            Some(directory) => {
                if self.marker.is_some() {
                    return fault("marker is for plain paths; a directory has its own in ..data");
                }
                let mut files = Vec::new();
                for (part, file) in named {
                    files.push(self.file(part, file, name_in_folder(part, &file.path)?)?);
                }
                if files.is_empty() {
                    files = self.usual_files()?;
                }
                Ok(Layout::Folder { folder: absolute("directory", directory)?, files })
            }
            None => {
                let mut files = Vec::new();
                for (part, file) in named {
                    files.push(self.file(part, file, absolute(&part.to_string(), &file.path)?)?);
                }
                if files.is_empty() {
                    return fault(
                        "names neither a directory nor a path for key, certificate, leaf, chain, ca or combined",
                    );
                }
                let marker = self.marker.as_deref().map(|path| absolute("marker", path)).transpose()?;
                Ok(Layout::Paths { files, marker })
            }
        }
    }

    /// What a directory holds where nothing is named.
    fn usual_files(&self) -> Result<Vec<FileWish>, TargetFault> {
        let usual = [(Part::Key, "tls.key"), (Part::Certificate, "tls.crt"), (Part::Ca, "ca.crt")];
        let mut files = Vec::new();
        for (part, name) in usual {
            let file = self.file(part, &WrittenFile::default(), PathBuf::from(name))?;
            files.push(FileWish { may_lack: part == Part::Ca, ..file });
        }
        Ok(files)
    }

    fn file(&self, part: Part, file: &WrittenFile, place: PathBuf) -> Result<FileWish, TargetFault> {
        let (own, field, default, limit) = match part.is_private() {
            true => (&self.key_mode, "keyMode", KEY_MODE, KEY_MODE_LIMIT),
            false => (&self.certificate_mode, "certificateMode", CERTIFICATE_MODE, CERTIFICATE_MODE_LIMIT),
        };
        let (written, field) = match &file.mode {
            Some(written) => (Some(written), "mode"),
            None => (own.as_ref(), field),
        };
        let mode = written.map_or(Ok(default), |written| mode(field, written, part, limit))?;
        let account = |written: &Option<String>, own: &Option<String>, field: &str| {
            written.as_ref().or(own.as_ref()).map(|name| account(field, name)).transpose()
        };
        Ok(FileWish {
            part,
            place,
            owner: account(&file.owner, &self.owner, "owner")?,
            group: account(&file.group, &self.group, "group")?,
            mode,
            may_lack: false,
        })
    }

    fn after(&self) -> Result<After, TargetFault> {
        match (&self.command, &self.signal, &self.reload) {
            (None, None, None) => Ok(After::Nothing),
            (Some(argv), None, None) => command(argv),
            (None, Some(signal), None) => Ok(After::Signal {
                pid_file: absolute("signal.pidFile", &signal.pid_file)?,
                signal: signal_named(&signal.name)?,
            }),
            (None, None, Some(unit)) => unit_named(unit),
            _ => fault("takes one of command, signal and reload, not several"),
        }
    }
}

fn timeout(text: &str) -> Result<Duration, TargetFault> {
    match GoDuration::from(text).as_std() {
        Some(time) if !time.is_zero() && time <= LONGEST_TIMEOUT => Ok(time),
        Some(_) => fault(format!("timeout: {text} is not between 0 and {}s", LONGEST_TIMEOUT.as_secs())),
        None => fault(format!("timeout: {text:?} is not a duration such as 30s or 2m")),
    }
}

fn command(argv: &[String]) -> Result<After, TargetFault> {
    let program = argv.first().map(String::as_str).unwrap_or_default();
    if program.is_empty() {
        return fault("command: names no program");
    }
    if program.contains('/') && !program.starts_with('/') {
        return fault(format!(
            "command: {program:?} is neither an absolute path nor a name to be found in PATH"
        ));
    }
    if argv.len() > MOST_ARGUMENTS {
        return fault(format!(
            "command: {} arguments are more than the limit of {MOST_ARGUMENTS}",
            argv.len()
        ));
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return fault("command: an argument holds a zero byte");
    }
    Ok(After::Command(argv.to_vec()))
}

/// Only signals by which programs are told to read their files again: a pid file must not become a way to end processes.
fn signal_named(name: &str) -> Result<Signal, TargetFault> {
    match name.strip_prefix("SIG").unwrap_or(name) {
        "HUP" => Ok(Signal::HUP),
        "USR1" => Ok(Signal::USR1),
        "USR2" => Ok(Signal::USR2),
        _ => fault(format!("signal.name: {name:?} is none of HUP, USR1 and USR2")),
    }
}

fn unit_named(unit: &str) -> Result<After, TargetFault> {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    if unit.is_empty() || unit.len() > LONGEST_NAME || unit.starts_with('-') || !unit.bytes().all(is_good) {
        return fault(format!("reload: {unit:?} is not the name of a systemd unit such as nginx.service"));
    }
    Ok(After::Reload(unit.to_owned()))
}

fn mode(field: &str, written: &str, part: Part, limit: u32) -> Result<u32, TargetFault> {
    let digits = written.strip_prefix("0o").unwrap_or(written);
    let is_octal =
        !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = if is_octal { u32::from_str_radix(digits, 8).ok() } else { None };
    let Some(mode) = mode else {
        return fault(format!("{field}: {written:?} is not a mode in octal digits such as \"0640\""));
    };
    if mode & 0o400 == 0 {
        return fault(format!("{field}: with {written} the owner of the {part} could not read it"));
    }
    if part.is_private() && mode & 0o007 != 0 {
        return fault(format!("{field}: {written} would open the private key to everybody"));
    }
    if mode & !limit != 0 {
        return fault(format!("{field}: {written} allows more than {limit:04o}"));
    }
    Ok(mode)
}

fn account(field: &str, name: &str) -> Result<String, TargetFault> {
    if name.is_empty() || name.contains([':', '\n', '\0']) {
        return fault(format!("{field}: {name:?} is neither a name nor a number"));
    }
    Ok(name.to_owned())
}

fn name_in_folder(part: Part, name: &str) -> Result<PathBuf, TargetFault> {
    let is_name = !name.is_empty() && !name.contains(['/', '\0']) && !name.starts_with("..") && name != ".";
    if !is_name || name.len() > LONGEST_NAME {
        return fault(format!(
            "{part}: {name:?} must be a file name in the directory, without slashes and two leading dots"
        ));
    }
    Ok(PathBuf::from(name))
}

/// An absolute path without steps back, so that what is written is what is meant.
fn absolute(field: &str, written: &str) -> Result<PathBuf, TargetFault> {
    let path = Path::new(written);
    if !path.is_absolute() {
        return fault(format!("{field}: {written:?} is not an absolute path"));
    }
    if written.len() > LONGEST_PATH || written.contains('\0') {
        return fault(format!("{field}: the path is too long, or holds a zero byte"));
    }
    if path.components().any(|step| step == Component::ParentDir) {
        return fault(format!("{field}: {written:?} must not hold \"..\""));
    }
    if written.ends_with('/') && field != "directory" {
        return fault(format!("{field}: {written:?} names a folder, not a file"));
    }
    match path.file_name() {
        Some(name) if name.len() <= LONGEST_NAME => Ok(path.components().collect()),
        Some(_) => fault(format!("{field}: the name is longer than {LONGEST_NAME} bytes")),
        None => fault(format!("{field}: {written:?} can't be the root")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_directory_alone_gets_the_names_of_the_secret() {
        let targets = parse("- directory: /etc/nginx/tls/web/\n").unwrap();
        let Layout::Folder { folder, files } = &targets[0].layout else { unreachable!() };
        assert_eq!(folder, Path::new("/etc/nginx/tls/web"));
        let told: Vec<_> =
            files.iter().map(|file| (file.place.to_str().unwrap(), file.mode, file.may_lack)).collect();
        assert_eq!(told, [("tls.key", 0o600, false), ("tls.crt", 0o644, false), ("ca.crt", 0o644, true)]);
        assert_eq!(targets[0].after, After::Nothing);
    }

    #[test]
    fn everything_can_be_said_in_yaml_and_in_json() {
        let yaml = r#"
- key: {path: /etc/x/web.key, owner: "33", mode: 0640}
  certificate: /etc/x/web.crt
  marker: /etc/x/web.generation
  owner: root
  group: www-data
  certificateMode: "0640"
  signal: {pidFile: /run/x.pid, name: SIGHUP}
- directory: /var/lib/y
  combined: both.pem
  keyMode: 0o440
  command: [/usr/bin/reload, "--now"]
  timeout: 2m
- ca: /etc/ssl/ca.pem
  reload: haproxy.service
"#;
        let targets = parse(yaml).unwrap();
        let Layout::Paths { files, marker } = &targets[0].layout else { unreachable!() };
        let looks: Vec<_> =
            files.iter().map(|file| (file.owner.as_deref(), file.group.as_deref(), file.mode)).collect();
        assert_eq!(looks, [(Some("33"), Some("www-data"), 0o640), (Some("root"), Some("www-data"), 0o640)]);
        assert_eq!(marker.as_deref(), Some(Path::new("/etc/x/web.generation")));
        assert_eq!(targets[0].after, After::Signal { pid_file: "/run/x.pid".into(), signal: Signal::HUP });
        assert_eq!(targets[1].files()[0].mode, 0o440);
        assert_eq!(targets[1].timeout, Duration::from_secs(120));
        assert_eq!(targets[2].after, After::Reload("haproxy.service".into()));
        let json = r#"[{"key": "/a/k", "certificate": {"path": "/a/c", "mode": "0600"}}]"#;
        assert_eq!(parse(json).unwrap()[0].files().len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_target_and_the_field() {
        let table = [
            ("", "holds no target"),
            ("[]", "no target"),
            ("{}", "not a list"),
            ("- dir: /x", "unknown field"),
            ("- owner: root", "target 1: names neither a directory nor a path"),
            ("- key: web.key", "target 1: key: \"web.key\" is not an absolute path"),
            ("- key: /a/../b", "must not hold \"..\""),
            ("- key: /a/b/", "names a folder"),
            ("- directory: /", "can't be the root"),
            ("- {directory: /x, key: a/b}", "must be a file name"),
            ("- {directory: /x, key: ..data}", "must be a file name"),
            ("- {directory: /x, marker: /y}", "marker is for plain paths"),
            ("- {key: /k, keyMode: 0644}", "would open the private key to everybody"),
            ("- {combined: {path: /k, mode: 0604}}", "would open the private key to everybody"),
            ("- {key: /k, keyMode: 0070}", "could not read it"),
            ("- {key: /k, keyMode: 4600}", "allows more than"),
            ("- {certificate: /k, certificateMode: 0646}", "allows more than"),
            ("- {key: /k, keyMode: rw}", "not a mode"),
            ("- {key: /k, keyMode: 0888}", "not a mode"),
            ("- {key: /k, owner: 'a:b'}", "owner"),
            ("- {key: /k, certificate: /k}", "target 1: /k is named twice"),
            ("[{key: /k}, {ca: /k}]", "target 2: /k is named twice"),
            ("- {key: /k, command: []}", "names no program"),
            ("- {key: /k, command: [./x]}", "neither an absolute path nor a name"),
            ("- {key: /k, command: systemctl reload nginx}", "not a list"),
            ("- {key: /k, command: [a], reload: b.service}", "not several"),
            ("- {key: /k, signal: {pidFile: /p, name: KILL}}", "none of HUP, USR1 and USR2"),
            ("- {key: /k, signal: {pidFile: p, name: HUP}}", "signal.pidFile"),
            ("- {key: /k, reload: '--all'}", "not the name of a systemd unit"),
            ("- {key: /k, reload: 'a b'}", "not the name of a systemd unit"),
            ("- {key: /k, command: [a], timeout: 30}", "not a duration"),
            ("- {key: /k, command: [a], timeout: 2h}", "not between"),
            ("- {key: /k, timeout: 2s}", "means nothing"),
            ("- {key: /k, pkcs12: /x}", "PKCS#12"),
            ("- {key: /k, jks: {path: /x}}", "JKS"),
        ];
        for (text, wanted) in table {
            let told = parse(text).map(|_| String::new()).unwrap_or_else(|fault| fault.to_string());
            assert!(told.contains(wanted), "{text}: told {told:?}, wanted {wanted:?}");
        }
    }

    #[test]
    fn too_many_targets_are_refused() {
        let many: String = (0..=MOST_TARGETS).map(|n| format!("- key: /k{n}\n")).collect();
        assert!(parse(&many).unwrap_err().to_string().contains("more than the limit"));
        assert!(parse(&" ".repeat(LONGEST_TEXT + 1)).unwrap_err().to_string().contains("bytes"));
    }
}
