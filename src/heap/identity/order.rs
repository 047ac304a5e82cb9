//! What the order of birth tells of objects whose addresses were in use before by their types.
//!
//! The generations one after the other, the old one first, are one list: objects are added at its end,
//! and a collection hands a generation's survivors on to the end of the next older one. So whoever was
//! there before stands, in the old order, before the first that was born since. A batch of objects that
//! is freed and made anew at the same addresses, in the same order, stands behind it.
//!
//! Two things blur that. A collection may put objects of the generations that it goes over behind
//! others, where they were made before what holds them. And a few seem to be born that were there, as
//! after an assignment to `__class__`.

use super::{Identity, Twins, longest_increasing};
use crate::snapshot::{ObjId, Objects, Snapshot};

/// So many objects in the old order outweigh one between them that seems to be new.
const SURVIVORS_A_STRANGER: i64 = 128;

/// So many objects that were handed on show that a generation was collected.
const SHOWS_COLLECTION: usize = 8;

/// A tracked object with a tracked twin.
#[derive(Clone, Copy)]
struct Candidate {
    new_place: u32,
    old_place: u32,
    object: ObjId,
}

/// Tells [`Identity::Survivor`] and [`Identity::Probable`] of tracked objects by their order, and
/// answers those of which it tells nothing. All others it leaves as they are.
pub(super) fn tell(
    before: &Snapshot,
    after: &Snapshot,
    twins: &Twins,
    identities: &mut [Identity],
) -> Vec<ObjId> {
    let generations = Generations::of(before, after, twins);
    let (candidates, strangers) = sorted_by_birth(before, after, twins, &generations);
    let boundary = end_of_survivors(&candidates, &strangers);
    let mut untold = Vec::new();
    for (candidate, is_in_order) in in_order(&candidates[..boundary]) {
        match is_in_order {
            true => identities[candidate.object.0 as usize] = Identity::Survivor,
            false => untold.push(candidate.object),
        }
    }
    for (candidate, is_in_order) in in_order(&candidates).skip(boundary) {
        if generations.may_have_moved(&candidate) {
            match is_in_order {
                true => identities[candidate.object.0 as usize] = Identity::Probable,
                false => untold.push(candidate.object),
            }
        }
    }
    untold
}

/// Each candidate, and whether it is of a longest sequence in the old order.
fn in_order(candidates: &[Candidate]) -> impl Iterator<Item = (Candidate, bool)> + '_ {
    let old_places: Vec<u32> = candidates.iter().map(|one| one.old_place).collect();
    let mut sequence = longest_increasing(&old_places).into_iter().peekable();
    candidates.iter().enumerate().map(move |(index, &one)| {
        let is_in_order = sequence.next_if_eq(&index).is_some();
        (one, is_in_order)
    })
}

/// The candidates in the new order, and the places of what was certainly not there before.
fn sorted_by_birth(
    before: &Snapshot,
    after: &Snapshot,
    twins: &Twins,
    generations: &Generations,
) -> (Vec<Candidate>, Vec<u32>) {
    let (mut candidates, mut strangers) = (Vec::new(), Vec::new());
    for (object, &new_place) in after.ids().zip(&after.objects.birth_place) {
        if new_place == Objects::UNTRACKED {
            continue;
        }
        let old_place = twins
            .of(object)
            .map(|twin| before.objects.birth_place[twin.0 as usize]);
        match old_place {
            // It may have been tracked since, at the end of the list.
            Some(Objects::UNTRACKED) => {}
            Some(old_place) => {
                let candidate = Candidate {
                    new_place,
                    old_place,
                    object,
                };
                match generations.allow(&candidate) {
                    true => candidates.push(candidate),
                    false => strangers.push(new_place),
                }
            }
            None => strangers.push(new_place),
        }
    }
    candidates.sort_unstable_by_key(|one| one.new_place);
    strangers.sort_unstable();
    (candidates, strangers)
}

/// How many of the candidates stand where survivors stand: to where most are in the old order, and the
/// fewest between them are not.
fn end_of_survivors(candidates: &[Candidate], strangers: &[u32]) -> usize {
    let mut ends: Vec<u32> = Vec::new();
    let (mut best, mut boundary) = (0, 0);
    let mut n_strangers = 0;
    for (index, candidate) in candidates.iter().enumerate() {
        let place = candidate.old_place;
        let len = ends.partition_point(|&end| end < place);
        match ends.get_mut(len) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
        while strangers
            .get(n_strangers)
            .is_some_and(|&stranger| stranger < candidate.new_place)
        {
            n_strangers += 1;
        }
        let n_in_order = ends.len() as i64;
        let n_out_of_order = (index + 1 + n_strangers) as i64 - n_in_order;
        let score = n_in_order - SURVIVORS_A_STRANGER * n_out_of_order;
        if score > best {
            (best, boundary) = (score, index + 1);
        }
    }
    boundary
}

/// The generations of two snapshots, by age: 0 is young, 2 old or frozen.
struct Generations {
    starts_before: [u32; 3],
    starts_after: [u32; 3],
    /// Of each age, whether it was collected in between.
    are_collected: [bool; 3],
    /// Whether objects can be anywhere: the frozen ones changed, or a collection was under way.
    are_mixed: bool,
}

impl Generations {
    fn of(before: &Snapshot, after: &Snapshot, twins: &Twins) -> Self {
        let (one, other) = (&before.capture, &after.capture);
        let mut generations = Self {
            starts_before: one.generation_starts,
            starts_after: other.generation_starts,
            are_collected: [other.n_full_collections != one.n_full_collections; 3],
            are_mixed: one.generation_starts[0] != other.generation_starts[0]
                || one.is_during_collection
                || other.is_during_collection,
        };
        let mut n_handed_on = [0; 3];
        for (object, twin) in twins.pairs() {
            let new_place = after.objects.birth_place[object.0 as usize];
            let old_place = before.objects.birth_place[twin.0 as usize];
            if new_place != Objects::UNTRACKED && old_place != Objects::UNTRACKED {
                let (old, new) = generations.ages(old_place, new_place);
                n_handed_on[old..new.max(old)]
                    .iter_mut()
                    .for_each(|n| *n += 1);
            }
        }
        for (is_collected, n) in generations.are_collected.iter_mut().zip(n_handed_on) {
            *is_collected |= n >= SHOWS_COLLECTION;
        }
        generations
    }

    /// Of an object its age before and its age now.
    fn ages(&self, old_place: u32, new_place: u32) -> (usize, usize) {
        let age = |place, [_, middle, young]: [u32; 3]| match place {
            place if place >= young => 0,
            place if place >= middle => 1,
            _ => 2,
        };
        (
            age(old_place, self.starts_before),
            age(new_place, self.starts_after),
        )
    }

    /// Whether an object can be what stood at its address before: none becomes younger, or stays in
    /// a generation that is collected.
    fn allow(&self, candidate: &Candidate) -> bool {
        let (old, new) = self.ages(candidate.old_place, candidate.new_place);
        self.are_mixed || old <= new && (new == 2 || !self.are_collected[new])
    }

    /// Whether a collection may have put an object behind others.
    fn may_have_moved(&self, candidate: &Candidate) -> bool {
        let (old, _) = self.ages(candidate.old_place, candidate.new_place);
        self.are_mixed || self.are_collected[old]
    }
}
