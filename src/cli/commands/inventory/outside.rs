//! Looks without an agent: where none is wanted, or none can get in.

use std::time::Instant;

use super::{Inventory, Watch};
use crate::door::Door;
use crate::failure::{Exit, exit_of};
use crate::rounds::{MAX_FAILURES, Missed, Rounds};

impl<I: Inventory> Watch<'_, I> {
    /// How looks with an agent ended; where none could get in, looks without one instead.
    ///
    /// # Errors
    /// As [`Rounds::run`].
    pub(super) fn or_outside(
        &mut self,
        end: Result<(), Missed>,
        rounds: &Rounds<'_>,
        door: &Door<'_>,
    ) -> Result<(), Missed> {
        let error = match end {
            Err(Missed::ForNow(error) | Missed::ForGood(error))
                if self.n_looks == 0 && exit_of(&error) == Exit::NoAttach =>
            {
                error
            }
            end => return end,
        };
        match self.inventory.take_from_outside(self.pid) {
            Some(Ok(_)) => {}
            // What stands in the way of an agent tells more.
            Some(Err(_)) | None => return Err(Missed::ForGood(error)),
        }
        self.output.note(format_args!(
            "{error:#}; what follows is read from outside, without an agent"
        ));
        self.run_outside(rounds, door)
    }

    /// Looks without an agent until there is a reason to end.
    ///
    /// # Errors
    /// As [`Rounds::run`].
    pub(super) fn run_outside(
        &mut self,
        rounds: &Rounds<'_>,
        door: &Door<'_>,
    ) -> Result<(), Missed> {
        let mut n_failures = 0;
        loop {
            let started = Instant::now();
            match self.inventory.take_from_outside(self.pid) {
                Some(Ok(taken)) => {
                    n_failures = 0;
                    self.show(taken).map_err(Missed::ForGood)?;
                }
                _ if door.is_target_gone() => return Err(Missed::TargetExited),
                Some(Err(error)) => {
                    n_failures += 1;
                    if self.n_looks == 0 || n_failures >= MAX_FAILURES {
                        return Err(Missed::ForGood(error));
                    }
                    self.output
                        .warn(format_args!("no look this time: {error:#}"));
                }
                None => return Ok(()),
            }
            let schedule = rounds.schedule;
            if schedule.count.is_some_and(|count| self.n_looks >= count) {
                return Ok(());
            }
            rounds.wait_detached(door, started + schedule.interval)?;
            if rounds.interrupts.urgency() > crate::interrupt::Urgency::None {
                return Err(Missed::Interrupted);
            }
        }
    }
}
