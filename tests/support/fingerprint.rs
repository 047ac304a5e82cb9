//! What of a target must be the same before and after an attach.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::leakhunt::Leakhunt;
use super::limit::eventually;
use super::proc::{Mapping, children, descriptors, field_of, mappings, status_field, threads};
use super::target::Target;

/// A target as seen from outside, and what it says of itself. Taken while a busy target holds still.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fingerprint {
    /// Name and blocked signals of each thread, with how many threads there are of that kind.
    threads: BTreeMap<(String, String), usize>,
    descriptors: BTreeMap<u32, String>,
    /// Lines of `status` that are about the whole process.
    process: BTreeMap<&'static str, Option<String>>,
    limits: Option<String>,
    children: Vec<u32>,
    /// Mappings that hold code but come from no file: there are none of ours.
    code_without_file: Vec<Mapping>,
    /// What the harness's `state()` says.
    own_words: Value,
}

const PROCESS_FIELDS: [&str; 8] = [
    "SigIgn",
    "SigCgt",
    "TracerPid",
    "Threads",
    "Seccomp",
    "NoNewPrivs",
    "CapEff",
    "CoreDumping",
];

impl Fingerprint {
    /// Of a target that answers.
    pub(crate) fn of(target: &mut Target) -> Self {
        let own_words = target.hold("state()");
        let found = Self::from_outside(target.pid, own_words);
        target.go_on();
        found
    }

    /// Of any process, with whatever it said of itself.
    pub(crate) fn from_outside(pid: u32, own_words: Value) -> Self {
        let mut kinds = BTreeMap::new();
        for thread in threads(pid) {
            let path = format!("/proc/{pid}/task/{thread}/status");
            let status = fs::read_to_string(path).unwrap_or_default();
            let part = |name| field_of(&status, name).unwrap_or_default();
            *kinds.entry((part("Name"), part("SigBlk"))).or_insert(0) += 1;
        }
        let mut children = children(pid);
        children.sort_unstable();
        Self {
            threads: kinds,
            descriptors: descriptors(pid),
            process: PROCESS_FIELDS
                .map(|field| (field, process_field(pid, field)))
                .into(),
            limits: fs::read_to_string(format!("/proc/{pid}/limits")).ok(),
            children,
            code_without_file: mappings(pid).into_iter().filter(is_foreign_code).collect(),
            own_words,
        }
    }

    /// Expects `value` for what the target says of `word`, where the test knows that it changes.
    pub(crate) fn expect_word(&mut self, word: &str, value: Value) {
        self.own_words[word] = value;
    }

    /// What the target says of `word`.
    pub(crate) fn word(&self, word: &str) -> &Value {
        &self.own_words[word]
    }

    /// What differs, as lines for a person.
    pub(crate) fn differences(&self, after: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare =
            |what: &str, before: &dyn std::fmt::Debug, after: &dyn std::fmt::Debug| {
                let (before, after) = (format!("{before:?}"), format!("{after:?}"));
                if before != after {
                    found.push(format!("{what}: {before} before, {after} after"));
                }
            };
        compare("threads", &self.threads, &after.threads);
        compare("descriptors", &self.descriptors, &after.descriptors);
        compare("process", &self.process, &after.process);
        compare("limits", &self.limits, &after.limits);
        compare("children", &self.children, &after.children);
        compare(
            "code without a file",
            &self.code_without_file,
            &after.code_without_file,
        );
        match (&self.own_words, &after.own_words) {
            (Value::Object(before), Value::Object(after)) => {
                for (word, value) in before {
                    compare(word, value, &after[word]);
                }
            }
            (before, after) => compare("own words", before, after),
        }
        found
    }
}

/// A field of the whole process, without the signals 32 to 34: they are libc's own, which glibc sets up
/// when the first thread is made and musl when it needs them.
fn process_field(pid: u32, field: &str) -> Option<String> {
    let value = status_field(pid, field)?;
    if !["SigIgn", "SigCgt"].contains(&field) {
        return Some(value);
    }
    let signals = u64::from_str_radix(&value, 16).ok()?;
    Some(format!("{:016x}", signals & !(0b111 << 31)))
}

fn is_foreign_code(mapping: &Mapping) -> bool {
    mapping.permissions.contains('x') && !mapping.name.starts_with(['/', '['])
}

/// Fails unless `target` is as it was. What libc still does for a thread that has just ended may take
/// a moment, so the question is asked until the answer is yes or the time is over.
pub(crate) fn assert_unharmed(before: &Fingerprint, target: &mut Target) {
    let mut last = Vec::new();
    let same = eventually(Duration::from_secs(5), || {
        last = before.differences(&Fingerprint::of(target));
        last.is_empty().then_some(())
    });
    assert!(
        same.is_some(),
        "{target:?} is not as before:\n  {}",
        last.join("\n  ")
    );
}

/// How much is mapped: a number of mappings and their bytes. For "no more than after the first few".
pub(crate) fn mapped(pid: u32) -> (usize, u64) {
    let mappings = mappings(pid);
    (
        mappings.len(),
        mappings.iter().map(|mapping| mapping.len).sum(),
    )
}

/// What a command tells of `target` as JSON, which must leave it as it was.
pub(crate) fn unharmed_look(target: &mut Target, command: &str, args: &[&str]) -> Value {
    let before = Fingerprint::of(target);
    let done = Leakhunt::at(target.pid, command, &["--json"])
        .args(args)
        .run();
    let document = done.expect(0).json();
    assert_unharmed(&before, target);
    document
}
