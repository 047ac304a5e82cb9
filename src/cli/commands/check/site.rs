//! Where in the sources a leak is: what annotations of code need.

use std::fs;
use std::path::{Path, PathBuf};

use leakhunt_heap::{ObjId, Snapshot};

use crate::describe::{How, describe};
use crate::render::check::{Checked, Site};
use crate::session::{Link, Session, SessionError};

/// Sources larger than this are not searched.
const MAX_SOURCE_BYTES: u64 = 4 << 20;

/// The sites of leaks, in their order: where their objects are made, if that is known, else where the
/// module defines the name that the path goes through.
///
/// # Errors
/// When the agent or the target is gone, silent or not to be believed.
pub(super) fn sites<L: Link>(
    session: &mut Session<L>,
    snapshot: &Snapshot,
    leaks: &[Checked],
) -> Result<Vec<Option<Site>>, SessionError> {
    let modules: Vec<ObjId> = leaks
        .iter()
        .filter_map(|leak| leak.finding.module)
        .collect();
    let how = How {
        has_repr: true,
        is_whole: false,
        is_traced: false,
    };
    let described = describe(session, snapshot, &modules, how)?;
    let site = |leak: &Checked| {
        if let Some(made_at) = leak.finding.made_at.first() {
            return made(made_at);
        }
        let described = described.of(leak.finding.module?)?;
        let file = PathBuf::from(&described.file);
        let line = attribute(&leak.finding.path).and_then(|name| definition(&file, name));
        Some(of_file(&file, line)).filter(|site| !site.file.is_empty())
    };
    Ok(leaks.iter().map(site).collect())
}

/// `shop/render.py:88`.
fn made(at: &str) -> Option<Site> {
    let (file, line) = at.rsplit_once(':')?;
    Some(of_file(Path::new(file), line.parse().ok()))
}

/// By its way from here, where there is one: what a checkout is annotated by.
fn of_file(file: &Path, line: Option<u64>) -> Site {
    let here = std::env::current_dir().unwrap_or_default();
    let file = file.strip_prefix(here).unwrap_or(file);
    Site {
        file: file.display().to_string(),
        line,
    }
}

/// The attribute of the module that a path starts with.
fn attribute(path: &str) -> Option<&str> {
    let (_, rest) = path.strip_prefix("sys.modules['")?.split_once("'].")?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&rest[..end.unwrap_or(rest.len())]).filter(|name| !name.is_empty())
}

/// The first line that binds a name at the top level of a source.
fn definition(file: &Path, name: &str) -> Option<u64> {
    // Opening what is no plain file may wait for ever.
    let is_source =
        fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_SOURCE_BYTES);
    let text = is_source.then(|| fs::read_to_string(file).ok()).flatten()?;
    (1..)
        .zip(text.lines())
        .find(|(_, line)| binds(line, name))
        .map(|(number, _)| number)
}

fn binds(line: &str, name: &str) -> bool {
    if let Some(rest) = line.strip_prefix(name).map(str::trim_start) {
        return rest.starts_with(':') || rest.starts_with('=') && !rest.starts_with("==");
    }
    ["class ", "def ", "async def "].iter().any(|keyword| {
        let rest = line.strip_prefix(keyword);
        let rest = rest.and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.trim_start().starts_with(['(', ':', '[']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_starts_with_an_attribute_of_a_module() {
        for (path, expected) in [
            ("sys.modules['shop.cache'].RENDERED[*]", Some("RENDERED")),
            ("sys.modules['shop'].Pool.all.data", Some("Pool")),
            ("sys.modules['shop']", None),
            ("main() in thread 7: x", None),
        ] {
            assert_eq!(attribute(path), expected, "{path}");
        }
    }

    #[test]
    fn a_line_binds_a_name_or_but_uses_it() {
        for line in [
            "A = 1",
            "A: list = []",
            "A=1",
            "class A:",
            "class A(B):",
            "def A():",
            "async def A():",
            "class A[T]:",
        ] {
            assert!(binds(line, "A"), "{line}");
        }
        for line in [
            "A.b = 1",
            "    A = 1",
            "AB = 1",
            "A == 1",
            "print(A)",
            "class AB:",
            "# A = 1",
            "A[0] = 1",
        ] {
            assert!(!binds(line, "A"), "{line}");
        }
    }

    #[test]
    fn a_frame_is_a_site() {
        let site = made("/srv/shop/render.py:88").unwrap();
        assert_eq!((&*site.file, site.line), ("/srv/shop/render.py", Some(88)));
        let here = std::env::current_dir().unwrap().join("shop/render.py:3");
        let site = made(here.to_str().unwrap()).unwrap();
        assert_eq!((&*site.file, site.line), ("shop/render.py", Some(3)));
    }
}
