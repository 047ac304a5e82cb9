//! Which places of a heap grow, seen over several snapshots: after BLeak (Vilk and Berger, 2018) and
//! LeakCanary's Shark.
//!
//! Objects that are reached by the same way from the roots are one place, whatever their addresses, so
//! that nothing hangs on an object being the same in two snapshots.

mod beside;
mod finding;
mod growing;
mod history;
mod inside;
mod limits;
mod name;
mod places;
mod rise;
mod shares;
pub mod trend;
#[cfg(test)]
mod watched;

pub use beside::{Beside, BesideFindings};
pub use finding::{Finding, FindingKind, Held, PlaceFindings, Rate, UnclearPlace, judge};
pub use growing::{Growing, GrowthOf, Unclear, growing_places};
pub use history::{Measure, PlaceHistory};
pub use inside::Inside;
pub use name::{PlaceName, name_places};
pub use places::{Places, Way, WayId};
pub(crate) use rise::rise;
pub use shares::{Share, leak_shares};
