//! Tells systemd how we are doing: one datagram to the socket that it named (sd_notify(3)).
//! Without such a socket nothing happens; a datagram that can't be sent is no fault of ours.

use std::os::unix::net::UnixDatagram;

/// All is up.
pub(crate) const READY: &str = "READY=1";
/// The end has begun.
pub(crate) const STOPPING: &str = "STOPPING=1";

/// Sends lines such as [`READY`] or `STATUS=...`.
pub(crate) fn tell(lines: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = send(&socket, lines);
    }
}

fn send(socket: &std::ffi::OsStr, lines: &str) -> std::io::Result<usize> {
    let sender = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::net::SocketAddr;
        // A name that begins with @ is one of Linux's own, without a file.
        if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
            return sender.send_to_addr(lines.as_bytes(), &SocketAddr::from_abstract_name(name)?);
        }
    }
    sender.send_to(lines.as_bytes(), socket)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_kinds_of_sockets_are_reached() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), READY).unwrap();
        let mut buffer = [0; 64];
        let length = receiver.recv(&mut buffer).unwrap();
        assert_eq!(buffer.get(..length).unwrap(), READY.as_bytes());
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;
            let name = format!("everleaf-test-{}", std::process::id());
            let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
            let receiver = UnixDatagram::bind_addr(&address).unwrap();
            send(std::ffi::OsStr::new(&format!("@{name}")), STOPPING).unwrap();
            let length = receiver.recv(&mut buffer).unwrap();
            assert_eq!(buffer.get(..length).unwrap(), STOPPING.as_bytes());
        }
    }
}
