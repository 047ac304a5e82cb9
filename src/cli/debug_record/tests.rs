use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::debug_mode::ProcessMode;

fn one(address: u64, debug: bool) -> LoopMode {
    LoopMode {
        address,
        type_name: "asyncio.Loop".into(),
        debug: Some(debug),
        slow_callback_seconds: Some(0.1),
        ..LoopMode::default()
    }
}

fn mode(loops: &[LoopMode], root_level: i64) -> DebugMode {
    DebugMode {
        process: ProcessMode {
            root_level: Some(root_level),
            ..ProcessMode::default()
        },
        loops: loops.to_vec(),
    }
}

/// A folder of this test's own, which is not there yet.
fn file(name: &str) -> RecordFile {
    let folder = std::env::temp_dir().join(format!("leakhunt-test-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    RecordFile::within(folder, 4121, 777)
}

#[test]
fn a_second_on_keeps_what_was_before_the_first() {
    let record = Record::default().with(&mode(&[one(16, false)], 30));
    let record = record.with(&mode(&[one(16, true), one(32, false)], 20));
    assert_eq!(
        record.of(&one(16, true)).map(|before| before.debug),
        Some(false)
    );
    assert!(
        record.of(&one(32, true)).is_some(),
        "a loop that came since then"
    );
    assert_eq!(record.root_level, Some(30));
    let mut other = one(16, true);
    other.type_name = "uvloop.Loop".into();
    assert_eq!(record.of(&other), None, "another loop at its address");
}

#[test]
fn a_record_is_written_read_and_removed() {
    let file = file("whole");
    assert_eq!(file.read().unwrap(), None);
    let record = Record::default().with(&mode(&[one(16, false)], 30));
    file.write(&record).unwrap();
    assert_eq!(file.read().unwrap(), Some(record));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file.folder), mode(&file.path())), (0o700, 0o600));
    file.remove().unwrap();
    file.remove().unwrap();
    assert_eq!(file.read().unwrap(), None);
    fs::remove_dir(&file.folder).unwrap();
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    let file = file("open");
    fs::create_dir(&file.folder).unwrap();
    fs::set_permissions(&file.folder, fs::Permissions::from_mode(0o777)).unwrap();
    for told in [
        file.read().unwrap_err(),
        file.write(&Record::default()).unwrap_err(),
    ] {
        assert!(
            told.to_string()
                .contains("is not a folder that is yours alone"),
            "{told}"
        );
    }
    fs::remove_dir(&file.folder).unwrap();
    let elsewhere = std::env::temp_dir();
    std::os::unix::fs::symlink(elsewhere, &file.folder).unwrap();
    assert!(
        file.write(&Record::default()).is_err(),
        "a link may lead anywhere"
    );
    fs::remove_file(&file.folder).unwrap();
}
