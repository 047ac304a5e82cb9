//! `leakhunt._leakhunt`: the doors to the agent, as far as Python opens them. What the package makes of
//! them is in Python.

use std::os::fd::IntoRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::front_door::connection;
use crate::listener::Listener;

/// The door of this process, while it is open.
static DOOR: Mutex<Option<Listener>> = Mutex::new(None);

/// How long another thread may open or close it. With the GIL no two come here at once.
const OTHERS_TIME: Duration = Duration::from_secs(1);
/// How often that is looked at.
const PAUSE: Duration = Duration::from_micros(100);

/// All that is shared is behind a lock: an interpreter without the GIL stays without it.
#[pymodule(gil_used = false)]
mod _leakhunt {
    #[pymodule_export]
    use super::{connect, door, forget, listen, pause, resume, unlisten};
}

/// Opens the door, unless it is open; its path.
#[pyfunction]
fn listen(py: Python<'_>) -> PyResult<String> {
    let mut door = own_door(py)?;
    let listener = match door.take() {
        Some(listener) => listener,
        None => Listener::open().map_err(PyErr::from)?,
    };
    let path = listener.path().display().to_string();
    *door = Some(listener);
    Ok(path)
}

/// Closes it. A session that is under way goes on.
#[pyfunction]
fn unlisten(py: Python<'_>) -> PyResult<()> {
    own_door(py)?.take();
    Ok(())
}

/// Its path, or None when it is not open.
#[pyfunction]
fn door(py: Python<'_>) -> PyResult<Option<String>> {
    let door = own_door(py)?;
    Ok(door.as_ref().map(|door| door.path().display().to_string()))
}

/// Before a fork: nobody is let in, and no thread of the door is there.
#[pyfunction]
fn pause(py: Python<'_>) -> PyResult<()> {
    if let Some(door) = own_door(py)?.as_mut() {
        door.pause();
    }
    Ok(())
}

/// After a fork, in the process that forked.
#[pyfunction]
fn resume(py: Python<'_>) -> PyResult<()> {
    match own_door(py)?.as_mut() {
        Some(door) => door.attend().map_err(PyErr::from),
        None => Ok(()),
    }
}

/// In a forked child: whether the parent had a door, of which nothing is left here.
#[pyfunction]
fn forget(py: Python<'_>) -> PyResult<bool> {
    let had_one = door_as_found(py)?.is_some();
    drop(own_door(py)?);
    Ok(had_one)
}

/// One end of a connection to the agent of this process, a descriptor for a child to inherit. The
/// agent's thread ends when all copies of it are closed.
#[pyfunction]
fn connect() -> PyResult<i32> {
    let (socket, _) = connection().map_err(PyErr::from)?;
    Ok(socket.into_raw_fd())
}

/// The door, if this process has opened it; what a forked child finds of its parent's is forgotten.
fn own_door(py: Python<'_>) -> PyResult<MutexGuard<'static, Option<Listener>>> {
    let mut door = door_as_found(py)?;
    if door
        .as_ref()
        .is_some_and(|door| door.owner != std::process::id())
        && let Some(parents) = door.take()
    {
        parents.forget();
    }
    Ok(door)
}

fn door_as_found(py: Python<'_>) -> PyResult<MutexGuard<'static, Option<Listener>>> {
    let start = Instant::now();
    loop {
        match DOOR.try_lock() {
            Ok(door) => return Ok(door),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) if start.elapsed() < OTHERS_TIME => {
                py.detach(|| thread::sleep(PAUSE));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err(
                    "another thread opens or closes the door just now",
                ));
            }
        }
    }
}
