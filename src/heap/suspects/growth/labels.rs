//! What objects of two snapshots are matched by.

use std::collections::HashMap;

use super::Analysed;
use crate::paths::{Arrival, MOST_STEPS, StepLabel};
use crate::snapshot::{ObjId, StrId, Strings};

/// How something is held, and its type; the same in both snapshots.
pub(super) type NodeLabel = (StrId, StrId);

/// The labels of two snapshots.
#[derive(Default)]
pub(super) struct Labels {
    texts: Strings,
}

/// The masked paths to objects that others are reached from.
#[derive(Default)]
pub(super) struct Known {
    paths: HashMap<ObjId, StepLabel>,
}

impl Labels {
    /// Of what is on top: the whole way from a root, indices and keys masked.
    pub(super) fn on_top(
        &mut self,
        of: &Analysed<'_>,
        known: &mut Known,
        object: ObjId,
    ) -> NodeLabel {
        let mut to_come = Vec::new();
        let mut at = object;
        let mut label = None;
        while let Some(arrival) = of.paths.arrival(of.snapshot, at) {
            let from = match arrival {
                Arrival::Root(_) => None,
                Arrival::Reference { from, .. } => Some(from),
            };
            to_come.push((at, arrival));
            let Some(from) = from.filter(|_| to_come.len() < MOST_STEPS) else {
                break;
            };
            if let Some(path) = known.paths.get(&from) {
                label = Some(path.clone());
                break;
            }
            at = from;
        }
        while let Some((at, arrival)) = to_come.pop() {
            let before = label.take();
            // The step alone is asked for by what is before it, which is more than a step here.
            let step = of
                .paths
                .step_label(of.snapshot, &arrival, before.as_ref(), at);
            let before = before.map(|before| before.text).unwrap_or_default();
            let path = StepLabel {
                text: before + &step.text,
                part: step.part,
            };
            if !to_come.is_empty() {
                known.paths.insert(at, path.clone());
            }
            label = Some(path);
        }
        let text = label.map(|path| path.text).unwrap_or_default();
        self.node(of, &text, object)
    }

    /// Of what another object dominates: the reference to it, where there is one.
    pub(super) fn below(&mut self, of: &Analysed<'_>, parent: ObjId, object: ObjId) -> NodeLabel {
        let arrival = of.paths.arrival(of.snapshot, object);
        let direct = arrival.filter(
            |arrival| matches!(arrival, Arrival::Reference { from, .. } if *from == parent),
        );
        let text = direct.map(|arrival| {
            let before = of.paths.arrival(of.snapshot, parent);
            let before =
                before.map(|before| of.paths.step_label(of.snapshot, &before, None, parent));
            let step = of
                .paths
                .step_label(of.snapshot, &arrival, before.as_ref(), object);
            step.text
        });
        self.node(of, &text.unwrap_or_default(), object)
    }

    fn node(&mut self, of: &Analysed<'_>, text: &str, object: ObjId) -> NodeLabel {
        let type_key = of.snapshot.type_of(object).key();
        (self.texts.add(text), self.texts.add(&type_key))
    }
}
