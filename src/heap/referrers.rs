//! Who refers to an object.

use crate::snapshot::{ObjId, Snapshot};

/// The references of a snapshot the other way round. 8 bytes an object and 4 a reference; `O(V + E)`.
#[derive(Clone, Debug, Default)]
pub struct Referrers {
    /// `n_objects + 1` offsets into `source`, ascending, the first 0.
    first: Vec<u64>,
    /// Who refers: of one object ascending, once for each reference.
    source: Vec<ObjId>,
}

impl Referrers {
    /// All referrers of all objects.
    pub fn of(snapshot: &Snapshot) -> Self {
        let n_objects = snapshot.n_objects();
        // One place ahead while they are filled: then each has moved to where the next starts.
        let mut first = vec![0_u64; n_objects + 2];
        for target in &snapshot.references.target {
            first[target.0 as usize + 2] += 1;
        }
        let mut sum = 0;
        for offset in &mut first {
            sum += *offset;
            *offset = sum;
        }
        let mut source = vec![ObjId(0); snapshot.references.target.len()];
        for referrer in snapshot.ids() {
            for (_, target) in snapshot.references_of(referrer) {
                let next = &mut first[target.0 as usize + 1];
                source[*next as usize] = referrer;
                *next += 1;
            }
        }
        first.pop();
        Self { first, source }
    }

    /// Who refers to an object, ascending; once for each reference.
    pub fn of_object(&self, object: ObjId) -> impl ExactSizeIterator<Item = ObjId> + '_ {
        let (first, end) = (
            self.first[object.0 as usize] as usize,
            self.first[object.0 as usize + 1] as usize,
        );
        self.source[first..end].iter().copied()
    }
}

/// How many references each object has from others than running frames, which may borrow theirs.
pub(crate) fn in_degrees(snapshot: &Snapshot) -> Vec<u32> {
    let mut in_degrees = vec![0_u32; snapshot.n_objects()];
    for referrer in snapshot.ids() {
        if snapshot.type_of(referrer).is_frame() {
            continue;
        }
        for (_, target) in snapshot.references_of(referrer) {
            let in_degree = &mut in_degrees[target.0 as usize];
            *in_degree = in_degree.saturating_add(1);
        }
    }
    in_degrees
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn each_reference_is_found_from_its_other_end() {
        let mut random = Random::new(1);
        for _ in 0..200 {
            let heap = random.heap(20, 40);
            let referrers = Referrers::of(&heap);
            for object in heap.ids() {
                let expected: Vec<ObjId> = heap
                    .ids()
                    .flat_map(|from| heap.references_of(from).map(move |(_, to)| (from, to)))
                    .filter(|&(_, to)| to == object)
                    .map(|(from, _)| from)
                    .collect();
                let found: Vec<ObjId> = referrers.of_object(object).collect();
                assert_eq!(found, expected);
            }
        }
    }
}
