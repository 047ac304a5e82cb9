//! Probes of an inventory: Python of ours that tells of objects, in a copy of the copy.

use leakhunt_wire::Ended;

use super::Scene;
use crate::budget::Budget;
use crate::rounds::{LookEnd, not_walked};
use crate::session::{Link, Missing, Probe, Probed, Session};

impl Scene<'_> {
    /// What asks all objects of these types, and those of their subclasses, by this source.
    pub(crate) fn probe<'p>(&self, types: &'p [&'p str], source: &'p str) -> Probe<'p> {
        Probe {
            types,
            untracked: &[],
            source,
            keeps_sockets: false,
            walk_limit: Budget::new(self.memory, self.args.target.max_pause).time_limit,
        }
    }
}

/// Runs a probe.
///
/// # Errors
/// When the heap could not be walked to the end.
pub(crate) fn probed<L: Link>(
    session: &mut Session<L>,
    scene: &Scene<'_>,
    probe: &Probe<'_>,
) -> Result<Probed, LookEnd> {
    let (probed, end) = session.probe(probe)?;
    let Some(kept) = kept(probed, end.ended) else {
        let failure = not_walked(scene.pid, end.ended, end.signal, end.clone_errno);
        return Err(LookEnd::ForNow(failure.into()));
    };
    if end.ended == Ended::TimeLimit {
        scene.output.warn(format_args!(
            "there is more than is told: it took too long; the machine may be too busy"
        ));
    }
    Ok(kept)
}

/// What is of use of a probe that ended so. Objects are told when the whole heap was walked: where the
/// time was over while they were told, what came is true, and there is more.
fn kept(mut probed: Probed, ended: Ended) -> Option<Probed> {
    let has_objects = probed.rows.iter().any(|row| row.address != 0);
    match ended {
        Ended::Whole => Some(probed),
        Ended::TimeLimit if has_objects => {
            probed.missing.push(Missing {
                address: 0,
                type_name: "the rest of the objects".into(),
                why: "it took too long".into(),
            });
            Some(probed)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Row;

    #[test]
    fn what_came_before_the_time_was_over_is_told_with_what_is_missing() {
        let probed = |addresses: &[u64]| Probed {
            rows: addresses
                .iter()
                .map(|&address| Row {
                    address,
                    type_name: String::new(),
                    size_bytes: 0,
                    value: serde_json::Value::Null,
                })
                .collect(),
            ..Probed::default()
        };
        let n_missing = |addresses: &[u64], ended| {
            let kept = kept(probed(addresses), ended);
            kept.map(|kept| (kept.rows.len(), kept.missing.len()))
        };
        assert_eq!(n_missing(&[0, 7], Ended::Whole), Some((2, 0)));
        assert_eq!(n_missing(&[0, 7], Ended::TimeLimit), Some((2, 1)));
        assert_eq!(n_missing(&[0], Ended::TimeLimit), None, "the walk's time");
        assert_eq!(n_missing(&[0, 7], Ended::Crashed), None);
    }
}
