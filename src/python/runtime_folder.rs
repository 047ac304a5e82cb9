//! Where the doors of a user's processes are.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use leakhunt_wire::DoorName;

/// A path that is longer does not fit the address of a socket.
const LONGEST_PATH: usize = 107;

/// The path for the door of this process: its folder is there, is nobody else's, and holds no file of
/// that name.
///
/// # Errors
/// When the folder cannot be made, or others have rights in it.
pub(crate) fn own_path() -> io::Result<PathBuf> {
    let pid = std::process::id();
    let start_ticks = start_ticks(pid).ok_or_else(|| io::Error::other("cannot read /proc"))?;
    let name = DoorName { pid, start_ticks }.to_string();
    let folder = folder(&name);
    make(&folder)?;
    let path = folder.join(name);
    // Of this very process, before it became another program.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(path),
    }
}

fn folder(name: &str) -> PathBuf {
    // SAFETY: geteuid cannot fail and touches no memory.
    let uid = unsafe { libc::geteuid() };
    let is_own = |path: &PathBuf| fs::metadata(path).is_ok_and(|folder| folder.uid() == uid);
    std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && is_own(path))
        .map(|path| path.join("leakhunt"))
        .filter(|path| path.join(name).as_os_str().len() <= LONGEST_PATH)
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/leakhunt-{uid}")))
}

/// Makes a folder that nobody else has any right in, or finds it so.
fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Of the folder itself, not of what a link of somebody else leads to.
    let found = fs::symlink_metadata(folder)?;
    check(&found).map_err(|why| {
        let message = format!("{} cannot hold a door: {why}", folder.display());
        io::Error::new(io::ErrorKind::PermissionDenied, message)
    })
}

fn check(found: &Metadata) -> Result<(), &'static str> {
    // SAFETY: geteuid cannot fail and touches no memory.
    let uid = unsafe { libc::geteuid() };
    if !found.is_dir() {
        Err("it is no folder")
    } else if found.uid() != uid {
        Err("it belongs to another user")
    } else if found.mode() & 0o077 != 0 {
        Err("others have rights in it (chmod 700 it)")
    } else {
        Ok(())
    }
}

/// Removes the doors of processes that have ended without doing so. Those of other containers that
/// share the folder are told by somebody listening there.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let door = entry.file_name().to_str().and_then(DoorName::parse);
        let is_stale = door.is_some_and(|door| start_ticks(door.pid) != Some(door.start_ticks));
        if is_stale && nobody_listens(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A socket of another kind is refused in another way when somebody listens, and nobody notices.
fn nobody_listens(path: &Path) -> bool {
    let tried = UnixDatagram::unbound().and_then(|socket| socket.connect(path));
    tried.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// When a process was started, in ticks since boot: the 22nd field, behind a name that may hold
/// anything.
fn start_ticks(pid: u32) -> Option<u64> {
    const FIELDS_AFTER_NAME: usize = 19;
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(FIELDS_AFTER_NAME)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lh-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_folder_that_others_may_enter_holds_no_door() {
        let outer = scratch("folder");
        let folder = outer.join("leakhunt");
        make(&folder).unwrap();
        make(&folder).expect("what it has made it takes again");
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, Permissions::from_mode(0o750)).unwrap();
        let error = make(&folder).unwrap_err().to_string();
        assert!(error.contains("others have rights in it"), "{error}");
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        let link = outer.join("link");
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let error = make(&link).unwrap_err().to_string();
        assert!(error.contains("no folder"), "{error}");
        fs::remove_dir_all(outer).unwrap();
    }

    #[test]
    fn only_doors_that_nobody_listens_behind_are_swept() {
        let folder = scratch("sweep");
        let door = |pid| DoorName {
            pid,
            start_ticks: 1,
        };
        let name = |pid| folder.join(door(pid).to_string());
        // No process has this start; the first has a listener all the same.
        let _alive = UnixListener::bind(name(1)).unwrap();
        drop(UnixListener::bind(name(2)).unwrap());
        fs::write(folder.join("letter"), "").unwrap();
        sweep(&folder);
        assert!(name(1).exists() && !name(2).exists());
        assert!(folder.join("letter").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
