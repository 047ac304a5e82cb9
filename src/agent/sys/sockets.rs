//! What the kernel tells of an open socket (Linux, x86-64).

use super::{Result, call, nr};

/// `sa_family`.
pub(crate) const AF_UNIX: u16 = 1;
pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;

/// The inode of a socket; `None` for a descriptor of something else.
///
/// # Errors
/// When the number is not open.
pub(crate) fn socket_inode(fd: i32) -> Result<Option<u64>> {
    /// `st_ino` and `st_mode` of a `struct stat` of 144 bytes.
    const INODE: usize = 1;
    const MODE: usize = 3;
    const KIND: u64 = 0o170_000;
    const SOCKET: u64 = 0o140_000;
    let mut stat = [0_u64; 18];
    // SAFETY: the kernel writes one stat.
    unsafe { call(nr::FSTAT, [fd as usize, &raw mut stat as usize, 0, 0, 0, 0])? };
    Ok((stat[MODE] & KIND == SOCKET).then_some(stat[INODE]))
}

/// The address of a socket: a `struct sockaddr` of some kind; empty where it has none.
pub(crate) fn socket_name(fd: i32, buffer: &mut [u8]) -> &[u8] {
    name(nr::GETSOCKNAME, fd, buffer)
}

/// The address of its peer, likewise.
pub(crate) fn peer_name(fd: i32, buffer: &mut [u8]) -> &[u8] {
    name(nr::GETPEERNAME, fd, buffer)
}

fn name(number: usize, fd: i32, buffer: &mut [u8]) -> &[u8] {
    let mut len = buffer.len() as u32;
    let args = [
        fd as usize,
        buffer.as_mut_ptr() as usize,
        &raw mut len as usize,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes at most `len` bytes.
    let is_named = unsafe { call(number, args) }.is_ok();
    let len = if is_named { len as usize } else { 0 };
    buffer.get(..len).unwrap_or_default()
}

/// `struct tcp_info`, as much as the kernel has; empty for a socket that is not of TCP.
pub(crate) fn tcp_info(fd: i32, buffer: &mut [u8]) -> &[u8] {
    const IPPROTO_TCP: usize = 6;
    const TCP_INFO: usize = 11;
    option(fd, IPPROTO_TCP, TCP_INFO, buffer)
}

/// The process that made the other end of a Unix socket; 0 where that is not known.
pub(crate) fn peer_pid(fd: i32) -> u32 {
    const SOL_SOCKET: usize = 1;
    const SO_PEERCRED: usize = 17;
    let mut credentials = [0; 12];
    let credentials = option(fd, SOL_SOCKET, SO_PEERCRED, &mut credentials);
    let pid = credentials.first_chunk();
    pid.map_or(0, |&pid| u32::from_ne_bytes(pid))
}

fn option(fd: i32, level: usize, option: usize, buffer: &mut [u8]) -> &[u8] {
    let mut len = buffer.len() as u32;
    let args = [
        fd as usize,
        level,
        option,
        buffer.as_mut_ptr() as usize,
        &raw mut len as usize,
        0,
    ];
    // SAFETY: the kernel writes at most `len` bytes.
    let is_read = unsafe { call(nr::GETSOCKOPT, args) }.is_ok();
    let len = if is_read { len as usize } else { 0 };
    buffer.get(..len).unwrap_or_default()
}
