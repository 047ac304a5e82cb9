//! Whose `malloc` a process uses.

use std::fs;

use leakhunt_attach::ResidentMapping;

/// Parts of file names, of allocators that take the place of libc's first.
const BY_FILE: [(&str, &str); 7] = [
    ("libjemalloc", "jemalloc"),
    ("libtcmalloc", "tcmalloc"),
    ("libmimalloc", "mimalloc"),
    ("libasan", "AddressSanitizer"),
    ("ld-musl", "musl"),
    ("libc.so", "glibc"),
    ("libc-2.", "glibc"),
];

/// By the names of mapped files; `unknown` for a program that has its own inside.
pub(super) fn allocator(mappings: &[ResidentMapping]) -> &'static str {
    let is_mapped = |part: &str| {
        mappings.iter().any(|mapping| {
            let name = mapping.path.rsplit('/').next().unwrap_or_default();
            mapping.path.starts_with('/') && name.starts_with(part)
        })
    };
    let found = BY_FILE.iter().find(|(part, _)| is_mapped(part));
    found.map_or("unknown", |&(_, name)| name)
}

/// Whether Python objects are in mimalloc's memory: of free-threaded builds always, of others where the
/// environment asks for it.
pub(super) fn uses_mimalloc(pid: u32, free_threaded: bool) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    free_threaded
        || environment
            .split(|&byte| byte == 0)
            .any(|setting| setting.starts_with(b"PYTHONMALLOC=mimalloc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocator_before_libc_counts() {
        let of = |paths: &[&str]| {
            let mapping = |path: &&str| ResidentMapping {
                path: (*path).into(),
                ..ResidentMapping::default()
            };
            allocator(&paths.iter().map(mapping).collect::<Vec<_>>())
        };
        assert_eq!(of(&["/lib/x86_64-linux-gnu/libc.so.6"]), "glibc");
        assert_eq!(
            of(&["/lib/libc-2.31.so", "/x/libjemalloc.so.2"]),
            "jemalloc"
        );
        assert_eq!(of(&["/lib/ld-musl-x86_64.so.1"]), "musl");
        assert_eq!(of(&["[heap]", "/usr/bin/python3"]), "unknown");
    }
}
