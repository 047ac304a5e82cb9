use super::*;

const ONE: &str = ".loader: _load_stat\n.count: 1\n.r: 1 2 str\n.end: .loader: _load_stat\n";

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = format!("leakhunt-hpy-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(path);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, existing: Existing, text: &str) -> anyhow::Result<u64> {
    HpyFile::open(path, existing)?.write(text, &Output::silent())
}

#[test]
fn a_file_is_replaced_as_a_whole() {
    let directory = Directory::new("replace");
    let path = directory.0.join("a.hpy");
    let link = directory.0.join("link.hpy");
    write(&path, Existing::Replaced, "old, and longer than the new").unwrap();
    std::os::unix::fs::symlink("a.hpy", &link).unwrap();
    let open = HpyFile::open(&link, Existing::Replaced).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().len(), 28);
    assert_eq!(
        open.write(ONE, &Output::silent()).unwrap(),
        ONE.len() as u64
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), ONE);
    assert_eq!(directory.names(), ["a.hpy", "link.hpy"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_file_that_was_not_written_leaves_nothing() {
    let directory = Directory::new("dropped");
    for existing in [Existing::Replaced, Existing::AddedTo] {
        drop(HpyFile::open(&directory.0.join("a.hpy"), existing).unwrap());
        assert!(directory.names().is_empty(), "{existing:?}");
    }
}

#[test]
fn snapshots_are_added() {
    let directory = Directory::new("add");
    let path = directory.0.join("a.hpy");
    for n in 1..=3 {
        let size = write(&path, Existing::AddedTo, ONE).unwrap();
        assert_eq!(size, (n * ONE.len()) as u64);
        assert_eq!(fs::read_to_string(&path).unwrap(), ONE.repeat(n));
    }
}

#[test]
fn a_torn_last_snapshot_is_cut_off() {
    let directory = Directory::new("torn");
    let path = directory.0.join("a.hpy");
    for len in 0..ONE.len() {
        for before in [String::new(), ONE.to_owned()] {
            fs::write(&path, before.clone() + &ONE[..len]).unwrap();
            write(&path, Existing::AddedTo, ONE).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), before + ONE, "{len}");
        }
    }
    let row = ".r: 1 2 str\n".repeat(20_000);
    fs::write(&path, format!("{ONE}.loader: _load_stat\n{row}")).unwrap();
    write(&path, Existing::AddedTo, ONE).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), ONE.repeat(2));
}

#[test]
fn another_kind_of_file_is_not_added_to() {
    let directory = Directory::new("other");
    let path = directory.0.join("a.hpy");
    for other in ["hello\n", "{}", ".loader: _load_other\n"] {
        fs::write(&path, other).unwrap();
        let error = HpyFile::open(&path, Existing::AddedTo).unwrap_err();
        assert!(error.to_string().contains("does not begin"), "{error:#}");
        assert_eq!(fs::read_to_string(&path).unwrap(), other);
    }
}

#[test]
fn a_full_disk_is_told_and_is_wrong_input() {
    for existing in [Existing::Replaced, Existing::AddedTo] {
        let error = write(Path::new("/dev/full"), existing, ONE).unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot write /dev/full: No space"));
        assert_eq!(crate::failure::exit_of(&error).code(), 2);
    }
}

#[test]
fn what_cannot_be_written_is_told_before_the_target_is_touched() {
    for path in ["/nowhere/a.hpy", "/proc/a.hpy", "/"] {
        for existing in [Existing::Replaced, Existing::AddedTo] {
            let error = HpyFile::open(Path::new(path), existing).unwrap_err();
            assert!(error.to_string().starts_with("cannot write"), "{error:#}");
        }
    }
}

#[test]
fn a_file_that_another_holds_is_waited_for() {
    let directory = Directory::new("lock");
    let path = directory.0.join("a.hpy");
    fs::write(&path, ONE).unwrap();
    let other = File::open(&path).unwrap();
    flock(&other, FlockOperation::LockExclusive).unwrap();
    let open = HpyFile::open(&path, Existing::AddedTo).unwrap();
    let writer = thread::spawn(move || open.write(ONE, &Output::silent()));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(fs::read_to_string(&path).unwrap(), ONE);
    drop(other);
    writer.join().unwrap().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), ONE.repeat(2));
}

#[test]
fn what_a_killed_writer_left_is_removed_by_the_next_and_nothing_else() {
    let directory = Directory::new("leftover");
    let path = directory.0.join("a.hpy");
    // Above the kernel's largest process id.
    let dead = 1 << 23;
    let others = [
        ".a.hpy.1.new".to_owned(),
        format!(".b.hpy.{dead}.new"),
        format!(".a.hpy.{dead}.tmp"),
        ".a.hpy.x.new".to_owned(),
    ];
    for name in others.iter().chain([&format!(".a.hpy.{dead}.new")]) {
        fs::write(directory.0.join(name), ONE).unwrap();
    }
    write(&path, Existing::Replaced, ONE).unwrap();
    let mut left = others.to_vec();
    left.push("a.hpy".into());
    left.sort();
    assert_eq!(directory.names(), left);
}
