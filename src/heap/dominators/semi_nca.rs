//! Immediate dominators of numbers in preorder.

use super::preorder::Preorder;

/// What dominates each number immediately; of number 0 itself. Takes the references out of `preorder`.
pub(super) fn immediate_dominators(preorder: &mut Preorder) -> Vec<u32> {
    let n_numbers = preorder.object.len();
    let referrers = Referrers::sorted(n_numbers, std::mem::take(&mut preorder.backward));
    let mut semidominators = std::mem::take(&mut preorder.lowest_referrer);
    let mut dominators = std::mem::take(&mut preorder.parent);
    let mut forest = Forest::of(&dominators);
    for number in (1..n_numbers).rev() {
        let lowest = referrers.of(number).iter();
        let lowest = lowest.map(|&referrer| forest.lowest_above(referrer, number as u32));
        let lowest = lowest.fold(semidominators[number], u32::min);
        semidominators[number] = lowest;
        forest.links[number].lowest = lowest;
    }
    drop((referrers, forest));
    // The nearest common ancestor of the semidominator and the parent in the tree of dominators.
    for number in 1..n_numbers {
        let mut dominator = dominators[number];
        while dominator > semidominators[number] {
            dominator = dominators[dominator as usize];
        }
        dominators[number] = dominator;
    }
    dominators
}

/// Who refers to each number from a higher one.
struct Referrers {
    /// Offsets into `source`, one more than numbers.
    first: Vec<u64>,
    source: Vec<u32>,
}

impl Referrers {
    fn sorted(n_numbers: usize, backward: Vec<(u32, u32)>) -> Self {
        // One place ahead while they are filled: then each has moved to where the next starts.
        let mut first = vec![0_u64; n_numbers + 2];
        for &(to, _) in &backward {
            first[to as usize + 2] += 1;
        }
        let mut sum = 0;
        for offset in &mut first {
            sum += *offset;
            *offset = sum;
        }
        let mut source = vec![0; backward.len()];
        for (to, from) in backward {
            let next = &mut first[to as usize + 1];
            source[*next as usize] = from;
            *next += 1;
        }
        first.pop();
        Self { first, source }
    }

    fn of(&self, number: usize) -> &[u32] {
        &self.source[self.first[number] as usize..self.first[number + 1] as usize]
    }
}

/// The tree of the search, as far as numbers have been handled, with its ways shortened.
struct Forest {
    links: Vec<Link>,
    way: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Link {
    /// A number above in the tree.
    above: u32,
    /// The lowest semidominator from here up to below `above`.
    lowest: u32,
}

impl Forest {
    fn of(parents: &[u32]) -> Self {
        let link = |&above: &u32| Link { above, lowest: 0 };
        Self {
            links: parents.iter().map(link).collect(),
            way: Vec::new(),
        }
    }

    /// The lowest semidominator on the way from a number up to below the numbers of at most `end`.
    fn lowest_above(&mut self, number: u32, end: u32) -> u32 {
        let mut at = number;
        while self.links[at as usize].above > end {
            self.way.push(at);
            at = self.links[at as usize].above;
        }
        let Link { above, mut lowest } = self.links[at as usize];
        while let Some(at) = self.way.pop() {
            let link = &mut self.links[at as usize];
            lowest = lowest.min(link.lowest);
            *link = Link { above, lowest };
        }
        lowest
    }
}
