use leakhunt_heap::{BigBuffer, MappedFile};

use super::*;

fn account(parts: &[(Part, u64)]) -> MemoryAccount {
    let mut account = MemoryAccount {
        allocator: "glibc".into(),
        ..MemoryAccount::default()
    };
    for &(part, bytes) in parts {
        account.parts[part] = bytes;
    }
    account
}

fn healthy() -> MemoryAccount {
    MemoryAccount {
        estimates: vec![Part::MallocUsed, Part::MallocFree],
        buffers: vec![BigBuffer {
            type_key: "numpy.ndarray".into(),
            owner: 0x7f00,
            path: "sys.modules['shop'].TABLE".into(),
            mapped_bytes: 300_000_000,
            resident_bytes: 150_000_000,
        }],
        files: vec![MappedFile {
            path: "/srv/index\u{1b}[2J".into(),
            type_key: "mmap.mmap".into(),
            resident_bytes: 31_000_000,
        }],
        ..account(&[
            (Part::PythonPools, 200_000_000),
            (Part::Buffers, 150_000_000),
            (Part::FreePools, 12_000_000),
            (Part::MallocUsed, 10_000_000),
            (Part::MallocFree, 9_000_000),
            (Part::Files, 31_000_000),
        ])
    }
}

#[test]
fn a_healthy_account_is_a_sum_with_its_owners() {
    let account = healthy();
    let accounted = Accounted {
        pid: 7,
        python: "3.12.1",
        account: &account,
        limit: Some(MemoryLimit {
            limit_bytes: 2 << 30,
            used_bytes: 500_000_000,
            source: LimitSource::Cgroup,
        }),
    };
    let expected = "\
memory    RSS 412 MB = Python objects 200 MB, big buffers 150 MB, free pools 12 MB,
          malloc used by others ~10 MB, malloc free ~9 MB, files 31 MB
limit     cgroup limit 2 GiB, 500 MB of it in use

 bytes   share  part
200 MB  48.5 %  Python objects in pools
150 MB  36.4 %  big buffers of objects
 12 MB   2.9 %  free in pools
~10 MB   2.4 %  malloc, by others
 ~9 MB   2.2 %  malloc, free
 31 MB   7.5 %  files, shared memory

in RAM      of  buffer of      path
150 MB  300 MB  numpy.ndarray  sys.modules['shop'].TABLE

in RAM  file
 31 MB  /srv/index\\x1b[2J by mmap.mmap
";
    assert_eq!(account_text(&accounted, Some(90)), expected);
}

#[test]
fn fragmentation_and_a_foreign_allocator_are_told() {
    let account = MemoryAccount {
        allocator: "jemalloc".into(),
        ..account(&[
            (Part::PythonPools, 50_000_000),
            (Part::FreePools, 40_000_000),
            (Part::Unexplained, 10_000_000),
        ])
    };
    let expected = "\
memory    RSS 100 MB = Python objects 50 MB, free pools 40 MB,
          not explained (allocator jemalloc) 10 MB
          fragmentation: 40 MB (40 % of RSS) is free, but in pools
          and heaps that are in use elsewhere; new objects will take
          it
";
    assert_eq!(memory_lines(&account, Some(69)), expected);
}

#[test]
fn the_document_has_integers_and_keys_of_estimates() {
    let account = healthy();
    let value = serde_json::to_value(memory_value(&account, None)).unwrap();
    assert_eq!(value["rss_bytes"], 412_000_000);
    assert_eq!(value["limit"], serde_json::Value::Null);
    assert_eq!(value["verdict"], serde_json::Value::Null);
    for (key, part) in Part::ALL.map(|part| (key(part), part)) {
        assert_eq!(value[key], account.parts[part], "{key}");
    }
    let estimates = serde_json::json!(["malloc_used_bytes", "malloc_free_bytes"]);
    assert_eq!(value["estimates"], estimates);
    assert_eq!(value["buffers"][0]["address"], "0x7f00");
    assert_eq!(value["files"][0]["resident_bytes"], 31_000_000);
}
