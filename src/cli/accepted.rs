//! Leaks that are known.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use leakhunt_heap::Fingerprint;
use leakhunt_heap::hunt::Finding;

use crate::failure::{Exit, Failure};

/// The fingerprints of leaks that are accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted {
    fingerprints: BTreeSet<Fingerprint>,
}

impl Accepted {
    /// Reads a file with a fingerprint at the start of each line, what comes after it being for people;
    /// lines that are empty or start with `#` are passed over.
    ///
    /// # Errors
    /// When it cannot be read, or a line starts with something else.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("--accept {shown}"));
        let text = text.map_err(|error| Failure::new(Exit::Usage, format!("{error:#}")))?;
        let mut accepted = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let word = line.split_whitespace().next().unwrap_or_default();
            let fingerprint = fingerprint(word).ok_or_else(|| {
                let message = format!("--accept {shown}: line {number} starts with no fingerprint");
                Failure::new(Exit::Usage, message).with_help(
                    "a fingerprint is 16 digits of 0 to f, as `leakhunt hunt` shows it for each leak; \
                     lines that start with # are passed over",
                )
            })?;
            accepted.fingerprints.insert(fingerprint);
        }
        Ok(accepted)
    }

    /// Marks what is accepted, and puts it behind what is not.
    pub(crate) fn mark(&self, findings: &mut [Finding]) {
        for finding in findings.iter_mut() {
            finding.is_accepted = self.fingerprints.contains(&finding.fingerprint);
        }
        findings.sort_by_key(|finding| finding.is_accepted);
    }
}

fn fingerprint(word: &str) -> Option<Fingerprint> {
    let is_one = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one
        .then(|| u64::from_str_radix(word, 16).ok())
        .flatten()
        .map(Fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_sixteen_digits() {
        assert_eq!(
            fingerprint("00ff00000000000a"),
            Some(Fingerprint(0xff_0000_0000_000a))
        );
        for other in [
            "",
            "ff",
            "00ff00000000000g",
            "+0ff00000000000a",
            "00ff00000000000ab",
        ] {
            assert_eq!(fingerprint(other), None, "{other}");
        }
    }
}
