use super::*;
use crate::failure::{exit_of, help_of};
use leakhunt_heap::Objects;
use std::os::unix::fs::symlink;
use std::process;

/// An empty folder of the test's own, gone after it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("leakhunt-snap-{}-{name}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// With objects at these addresses.
fn snapshot(addresses: &[u64]) -> Snapshot {
    let n = addresses.len();
    let mut snapshot = Snapshot {
        types: vec![leakhunt_heap::Type::default()],
        ..Snapshot::default()
    };
    snapshot.objects = Objects {
        address: addresses.to_vec(),
        type_id: vec![leakhunt_heap::TypeId(0); n],
        size_bytes: vec![16; n],
        reference_count: vec![1; n],
        birth_place: vec![Objects::UNTRACKED; n],
    };
    snapshot.references.first = vec![0; n + 1];
    snapshot
}

fn addresses(path: &Path) -> Vec<u64> {
    read_snapshot(path).unwrap().objects.address
}

fn text(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

#[test]
fn what_is_written_is_read_again_and_nothing_else_is_left() {
    let place = Place::new("write");
    let path = place.join("a.leakhunt");
    let n_bytes = write_snapshot(&path, &snapshot(&[16, 32]), false).unwrap();
    assert_eq!(addresses(&path), [16, 32]);
    assert_eq!(place.names(), ["a.leakhunt"]);
    let files = fs::read_dir(&path).unwrap();
    let sum: u64 = files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(n_bytes, sum);
}

#[test]
fn a_snapshot_is_replaced_only_when_asked_for() {
    let place = Place::new("replace");
    let path = place.join("a.leakhunt");
    write_snapshot(&path, &snapshot(&[16]), false).unwrap();
    let error = write_snapshot(&path, &snapshot(&[32]), false).unwrap_err();
    assert!(text(&error).ends_with("there is one already"));
    assert_eq!(addresses(&path), [16]);
    write_snapshot(&path, &snapshot(&[48]), true).unwrap();
    assert_eq!(addresses(&path), [48]);
    assert_eq!(place.names(), ["a.leakhunt"]);
}

#[test]
fn folders_trade_places_without_an_exchange() {
    let place = Place::new("aside");
    let (new, old) = (place.join("new"), place.join("old"));
    fs::create_dir(&new).unwrap();
    fs::write(new.join("x"), "new").unwrap();
    fs::create_dir(&old).unwrap();
    replace::move_aside(&new, &old).unwrap();
    assert_eq!(fs::read(old.join("x")).unwrap(), b"new");
    assert_eq!(place.names(), ["new", "old"]);
    fs::remove_dir_all(&new).unwrap();
    replace::move_aside(&new, &old).unwrap_err();
    assert_eq!(fs::read(old.join("x")).unwrap(), b"new");
    assert_eq!(place.names(), ["old"]);
}

#[test]
fn an_empty_folder_and_a_link_to_a_snapshot_are_filled() {
    let place = Place::new("link");
    let (path, link) = (place.join("a.leakhunt"), place.join("link"));
    fs::create_dir(&path).unwrap();
    write_snapshot(&path, &snapshot(&[16]), false).unwrap();
    symlink("a.leakhunt", &link).unwrap();
    write_snapshot(&link, &snapshot(&[32]), true).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(addresses(&path), [32]);
    assert_eq!(place.names(), ["a.leakhunt", "link"]);
}

#[test]
fn what_is_no_snapshot_is_left_alone() {
    let place = Place::new("foreign");
    let file = place.join("file");
    fs::write(&file, "mine").unwrap();
    let folder = place.join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let look_alike = place.join("look-alike");
    fs::create_dir(&look_alike).unwrap();
    fs::write(look_alike.join("meta.json"), "{\"schema\":\"mine\"}").unwrap();
    let with_notes = place.join("with-notes");
    write_snapshot(&with_notes, &snapshot(&[16]), false).unwrap();
    fs::write(with_notes.join("notes.txt"), "mine").unwrap();
    let before = place.names();
    for path in [&file, &folder, &look_alike, &with_notes] {
        for force in [false, true] {
            let error = check_destination(path, force).unwrap_err();
            let written = write_snapshot(path, &snapshot(&[32]), force).unwrap_err();
            assert_eq!(text(&error), text(&written));
            assert!(text(&error).contains(path.to_str().unwrap()));
            assert_eq!(exit_of(&error).code(), 2);
            assert!(help_of(&error).unwrap().contains("-o"));
        }
    }
    assert_eq!(place.names(), before);
    assert_eq!(fs::read(folder.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(addresses(&with_notes), [16]);
}

#[test]
fn a_failure_leaves_what_was_there_and_nothing_else() {
    let place = Place::new("failure");
    let path = place.join("a.leakhunt");
    for force in [false, true] {
        let error = write_folder(&path, force, |folder| {
            fs::write(folder.join("objects.parquet"), "half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull).into())
        })
        .unwrap_err();
        assert!(text(&error).starts_with("cannot write snapshot /"));
        assert_eq!(exit_of(&error).code(), 2);
        assert!(help_of(&error).unwrap().contains("make room"));
        if force {
            assert_eq!(addresses(&path), [16]);
        } else {
            assert_eq!(place.names(), [""; 0]);
            write_snapshot(&path, &snapshot(&[16]), false).unwrap();
        }
    }
    assert_eq!(place.names(), ["a.leakhunt"]);
    let error = write_snapshot(&place.join("no/a"), &snapshot(&[]), false).unwrap_err();
    assert!(help_of(&error).unwrap().contains("make the folder first"));
}

#[test]
fn what_a_killed_writer_left_is_removed() {
    let place = Place::new("leftover");
    let mut child = process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    let left = |name: String| {
        let folder = place.join(&name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("objects.parquet"), "half").unwrap();
        name
    };
    left(format!(".a.leakhunt.{dead}.tmp"));
    left(format!(".a.leakhunt.{}.tmp", process::id()));
    let of_other_name = left(format!(".b.leakhunt.{dead}.tmp"));
    let of_living = left(".a.leakhunt.1.tmp".to_owned());
    let of_another_kernel_namespace = left(format!(".a.leakhunt.{}.tmp", u32::MAX));
    let lock = File::open(place.join(&of_another_kernel_namespace)).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    write_snapshot(&place.join("a.leakhunt"), &snapshot(&[]), false).unwrap();
    let mut kept = vec![of_other_name, of_living, of_another_kernel_namespace];
    kept.push("a.leakhunt".to_owned());
    kept.sort();
    assert_eq!(place.names(), kept);
}

#[test]
fn what_is_no_snapshot_is_not_read() {
    let place = Place::new("read");
    let missing = read_snapshot(&place.join("missing")).unwrap_err();
    assert!(text(&missing).contains("missing: No such file"));
    let file = place.join("file");
    fs::write(&file, "x").unwrap();
    assert!(text(&read_snapshot(&file).unwrap_err()).contains("is a file"));
    let error = text(&read_snapshot(&place.0).unwrap_err());
    assert!(error.contains("cannot read meta.json"), "{error}");
    let path = place.join("a.leakhunt");
    write_snapshot(&path, &snapshot(&[16]), false).unwrap();
    fs::remove_file(path.join("types.parquet")).unwrap();
    let error = text(&read_snapshot(&path).unwrap_err());
    assert!(
        error.contains("a.leakhunt: cannot open types.parquet"),
        "{error}"
    );
    fs::create_dir(path.join("types.parquet")).unwrap();
    let error = text(&read_snapshot(&path).unwrap_err());
    assert!(error.contains("not a file"), "{error}");
}
